"""How Sphinx makes the site of these pages: ``make docs`` writes it into build/docs, without any network."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for ext
sys.path.insert(0, str(Path(__file__).parents[1]))  # the package as it is here, installed or not

from gailkit import __version__

project = "gailkit"
author = project_copyright = "gailkit developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "ext.alarms",
    "ext.api",
    "ext.command_line",
    "ext.llms",
    "ext.mathml",
    "ext.measured",
    "ext.metrics",
    "ext.outside",
    "ext.pages",
    "ext.results",
    "ext.settings",
]
exclude_patterns = ["ext", "pictures"]
nitpick_ignore_regex = [(r"py:.*", r".*")]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "repository": None}  # the last is of ext.outside
smartquotes = False  # --option stays as it is typed

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
add_module_names = False
maximum_signature_line_length = 88

copybutton_selector = "div.highlight:not(.highlight-text) pre"

html_theme = "furo"
html_title = "gailkit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/mark.svg"
html_logo = "static/mark.svg"
html_show_sphinx = False
html_copy_source = True  # the pages as they are written, which llms.txt leads to
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#0068a3",
        "color-brand-content": "#0068a3",
        "color-brand-visited": "#0068a3",
    },
    "dark_css_variables": {
        "color-brand-primary": "#56b4e9",
        "color-brand-content": "#56b4e9",
        "color-brand-visited": "#56b4e9",
    },
}
pygments_style, pygments_dark_style = "default", "github-dark"
