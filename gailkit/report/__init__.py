"""An evaluation as one page: a self-contained HTML file that needs nobody's script, style or picture."""
