"""The page's HTML: everything in one file, nothing from elsewhere, for light and dark screens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from fastnn.plot import _style

_MOST_ROWS = 500  # of a long table
_DEEPEST = 9  # levels of a record that are shown
_MOST_LINES = 12  # of one value; more are only seen when they are asked for

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --page: #f3f4f6; --surface: $light_surface; --ink: $light_ink; --muted: $light_muted;
  --line: $light_grid; --accent: $light_accent; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0e1116; --surface: $dark_surface; --ink: $dark_ink; --muted: $dark_muted; --line: $dark_grid;
    --accent: $dark_accent; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 36px 0 12px; font-size: 18px; }
.note { color: var(--muted); margin: 4px 0 0; }
.tiles, .pictures { display: grid; gap: 14px; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin: 22px 0 0; padding: 0; }
.tiles div, figure, .card { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
.tiles div { padding: 10px 14px; }
.tiles dt { color: var(--muted); font-size: 13px; }
.tiles dd { margin: 0; font-size: 18px; font-weight: 600; overflow-wrap: anywhere; }
.pictures { grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); align-items: start; }
figure { margin: 0; padding: 12px 14px; }
figure h3 { margin: 0 0 6px; font-size: 15px; }
figure img { display: block; width: 100%; height: auto; }
figcaption { margin-top: 6px; color: var(--muted); font-size: 13px; }
.tables { columns: 2 420px; column-gap: 14px; }
.card { margin: 0 0 14px; padding: 12px 14px; overflow-x: auto; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { text-align: left; font-weight: 600; font-size: 15px; padding-bottom: 6px; }
th, td { text-align: left; vertical-align: top; padding: 4px 10px 4px 0; border-top: 1px solid var(--line); }
th { font-weight: 400; color: var(--muted); }
td { font-family: ui-monospace, monospace; font-size: 13px; overflow-wrap: anywhere; white-space: pre-line; }
th[scope="row"] { width: 34%; }
.rows th, .rows td { white-space: nowrap; }
.rows td:last-child { white-space: normal; }
@media (max-width: 480px) {  /* a phone shows all columns: text breaks between words */
  .rows th, .rows td { white-space: normal; overflow-wrap: break-word; }
}
td details { margin: 0; }
details { margin-top: 14px; }
summary { cursor: pointer; color: var(--accent); }
footer { margin-top: 36px; color: var(--muted); font-size: 13px; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="note">$subtitle</p>
$body
<footer>$footer</footer>
</main>
</body>
</html>
""")


def document(title: str, subtitle: str, body: Iterable[str], footer: str) -> bytes:
    """Make the whole page."""
    colours = {
        f"{theme}_{part}": getattr(palette, name)
        for theme, palette in (("light", _style.LIGHT), ("dark", _style.DARK))
        for part, name in (
            ("surface", "surface"),
            ("ink", "ink"),
            ("muted", "muted"),
            ("grid", "grid"),
            ("accent", "training"),
        )
    }
    text = _PAGE.substitute(
        colours, title=escape(title), subtitle=escape(subtitle), body="\n".join(body), footer=escape(footer)
    )
    return text.encode("utf-8", errors="replace")


def tiles(values: Mapping[str, Any]) -> str:
    """Return the few numbers that one looks for first."""
    items = (f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in values.items())
    return f'<dl class="tiles">{"".join(items)}</dl>'


def section(heading: str, kind: str, parts: Sequence[str]) -> str:
    """Return a heading and what it is over, in a grid; nothing for no parts."""
    return f'<h2>{escape(heading)}</h2>\n<div class="{kind}">\n' + "\n".join(parts) + "\n</div>" if parts else ""


def figure(heading: str, light: str, dark: str, caption: str) -> str:
    """Return a picture, which is there in two colour schemes."""
    return (
        f"<figure><h3>{escape(heading)}</h3><picture>"
        f'<source srcset="{dark}" media="(prefers-color-scheme: dark)">'
        f'<img src="{light}" alt="{escape(f"{heading}. {caption}")}">'
        f"</picture><figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(heading: str, values: Mapping[str, Any]) -> str:
    """Return names and values."""
    rows = (
        f'<tr><th scope="row">{escape(str(name).replace("_", " "))}</th><td>{_cell(value)}</td></tr>'
        for name, value in values.items()
    )
    return f'<div class="card"><table><caption>{escape(heading)}</caption>{"".join(rows)}</table></div>'


def _cell(value: Any) -> str:
    """Return a value in HTML: of a mapping, a line for each entry; what is long waits until it is asked for."""
    is_listed = isinstance(value, Mapping) and "type" not in value
    text = "\n".join(f"{name}: {described(item, 1)}" for name, item in value.items()) if is_listed else described(value)
    lines = text.count("\n") + 1
    return escape(text) if lines <= _MOST_LINES else details(f"{lines} entries", escape(text))


def rows(heading: str, columns: Sequence[str], body: Sequence[Sequence[Any]]) -> str:
    """Return a table with columns; of a long one, evenly spaced rows and the last."""
    stride = -(-len(body) // _MOST_ROWS)
    shown = [row for i, row in enumerate(body) if i % stride == 0 or i == len(body) - 1]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    lines = ("".join(f"<td>{escape(described(value))}</td>" for value in row) for row in shown)
    text = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="card rows"><table><caption>{escape(heading)}</caption><tr>{head}</tr>{text}</table></div>'


def details(heading: str, inside: str) -> str:
    """Return what is only seen when it is asked for."""
    return f"<details><summary>{escape(heading)}</summary>{inside}</details>"


def note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def described(value: Any, depth: int = 0) -> str:
    """Return a value of a record as text: what describes an object as the call that makes it."""
    if depth > _DEEPEST:
        return "…"
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        fields = {name: item for name, item in value.items() if name != "type"}
        inside = ", ".join(f"{name}={described(item, depth + 1)}" for name, item in fields.items())
        return f"{value['type']}({inside})" if "type" in value else inside
    if isinstance(value, (list, tuple)):
        separator = "\n" if any(isinstance(item, Mapping) for item in value) else ", "
        return separator.join(described(item, depth + 1) for item in value) or "–"
    return repr(value) if isinstance(value, float) else str(value)
