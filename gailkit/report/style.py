"""How a report looks: on a phone, on a screen, in the dark, on paper."""

from __future__ import annotations

from collections.abc import Callable
from string import Template

from gailkit.report.palette import COLOURS, PAGE, Colour

RULES = Template("""
:root { color-scheme: light dark; $light }
@media (prefers-color-scheme: dark) { :root { $dark } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere; }
p, li { max-width: 46rem; margin: 0.5rem 0; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0.25rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1rem; margin: 1.25rem 0 0.25rem; }
a { color: var(--expert); }
header p { color: var(--muted); font-size: 0.875rem; line-height: 1.4; margin: 0.25rem 0; }
footer { margin-top: 3rem; padding-top: 0.75rem; border-top: 1px solid var(--grid); color: var(--muted);
  font-size: 0.875rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 1rem 0; padding: 0; list-style: none; }
nav li { margin: 0; } nav a { display: inline-block; padding: 0.25rem 0; }
.verdict { display: grid; grid-template-columns: auto 1fr; gap: 0 0.7rem; align-items: center; margin: 0.9rem 0;
  padding: 0.8rem 1rem; border: 2px solid currentColor; border-radius: 0.6rem; background: var(--card); }
.verdict .icon { width: 2rem; height: 2rem; margin: 0; }
.verdict h2 { margin: 0; padding: 0; border: 0; font-size: 1.3rem; line-height: 1.3; }
.verdict p { color: var(--ink); margin: 0.35rem 0 0; } .verdict > p { font-size: 1.0625rem; }
.verdict > p, .verdict > dl, .verdict > details { grid-column: 1 / -1; color: var(--ink); }
.verdict details { margin: 0.4rem 0 0; } .verdict summary { font-size: 0.9375rem; }
.large { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 0.75rem 1.5rem;
  margin: 0.6rem 0 0; }
.large dt { font-weight: 600; } .large dd { margin: 0; font-variant-numeric: tabular-nums; }
.large strong { font-size: 2.4rem; line-height: 1.15; }
.large .meaning { color: var(--muted); font-size: 0.875rem; line-height: 1.4; }
.first { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 1.25rem; align-items: start; }
@media (min-width: 60rem) { .first { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .first .film { margin-top: 0.9rem; } }
.good { color: var(--good); } .warning { color: var(--warning); } .bad { color: var(--bad); }
.verdict.note, .note { color: var(--ink); }
.icon { width: 1.15rem; height: 1.15rem; flex: none; vertical-align: -0.2rem; margin-right: 0.45rem;
  stroke-linecap: round; stroke-linejoin: round; }
.note:not(.verdict) { margin: 0.75rem 0; padding: 0.6rem 0.9rem; border-left: 4px solid var(--muted);
  background: var(--card); border-radius: 0 0.4rem 0.4rem 0; }
.note.good { border-color: var(--good); } .note.warning { border-color: var(--warning); border-left-style: double;
  border-left-width: 6px; }
.note.bad { border-color: var(--bad); border-left-width: 8px; }
.note h3 { margin: 0; } .note p { margin: 0.3rem 0 0; }
.note.good h3 .icon, .note.good .word { color: var(--good); }
.note.warning h3 .icon, .note.warning .word { color: var(--warning); }
.note.bad h3 .icon, .note.bad .word { color: var(--bad); }
.word { margin-right: 0.35rem; } .word::after { content: ":"; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1.25rem 1rem;
  align-items: start; margin: 0.75rem 0; }
figure { margin: 0; max-width: 30rem; min-width: 0; }
figcaption { font-weight: 600; font-size: 0.9375rem; line-height: 1.35; margin-bottom: 0.25rem; }
figure p { margin: 0.15rem 0 0; color: var(--muted); font-size: 0.875rem; line-height: 1.4; }
figure > svg { display: block; width: 100%; height: auto; }
figure > svg * { stroke-linejoin: round; stroke-linecap: butt; }
figure > svg text { font-variant-numeric: tabular-nums; }
.film { max-width: 46rem; } .film img { display: block; width: 100%; height: auto; border-radius: 0.4rem; }
.film .still { display: none; }
@media print, (prefers-reduced-motion: reduce) { .film .still { display: block; } .film .moving { display: none; } }
.key { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0.75rem 0 0; font-size: 0.9375rem; }
.key span { display: inline-flex; align-items: center; gap: 0.45rem; } .key svg { width: 2.6rem; height: 0.87rem; }
.wide { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; font-size: 0.9375rem; line-height: 1.4; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.35rem; }
th, td { padding: 0.4rem 0.75rem 0.4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid);
  max-width: 26rem; }
th.txt, td.txt { min-width: 7rem; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-weight: 600; border-bottom: 2px solid var(--grid); white-space: nowrap; }
tbody th { font-weight: 600; } .num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: block; width: 8rem; height: 0.6rem; margin-top: 0.4rem; }
.bar .trough { fill: var(--grid); } .bar .part { fill: var(--policy); }
pre { margin: 0.35rem 0; padding: 0.75rem; background: var(--card); border: 1px solid var(--grid);
  border-radius: 0.4rem; white-space: pre; overflow-x: auto;
  font: 0.875rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
details { margin: 0.75rem 0; } summary { cursor: pointer; padding: 0.3rem 0; font-weight: 600; }
:focus-visible { outline: 2px solid var(--expert); outline-offset: 2px; }
@media screen and (max-width: 40rem) {
  table, caption, tbody, tr, tbody th, td { display: block; max-width: none; } .num { white-space: normal; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: 0.5rem 0; border-bottom: 1px solid var(--grid); } tbody th, td { padding: 0.1rem 0; border: 0; }
  td { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0.75rem; } td.num, th.num { text-align: left; }
  td::before { content: attr(data-head); color: var(--muted); }
}
@media (min-width: 48rem) { body { padding: 2rem; } h1 { font-size: 2rem; } header p { font-size: 1rem; } }
@media print {
  :root { color-scheme: light; $light }
  @page { margin: 15mm; }
  body { padding: 0; max-width: none; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; } h2, h3, caption, figcaption, .key, summary { break-after: avoid; }
  h2 { margin-top: 1.5rem; }
  figure, tr, .note, .verdict, pre { break-inside: avoid; } section > p { break-after: avoid; }
  .wide { overflow: visible; } table { width: 100%; font-size: 9pt; } .num { white-space: normal; }
  td.txt:last-child { min-width: 15rem; }
  .panels { grid-template-columns: repeat(2, 1fr); } pre { white-space: pre-wrap; }
  details > * { display: block; } details::details-content { content-visibility: visible; block-size: auto; }
}
""")


def style_sheet() -> str:
    """The rules of a page, with the colours of both modes as variables."""
    return RULES.substitute(light=_variables(lambda c: c.light), dark=_variables(lambda c: c.dark)).strip()


def _variables(shade: Callable[[Colour], str]) -> str:
    return " ".join(f"--{name}: {shade(colour)};" for name, colour in {**COLOURS, **PAGE}.items())
