"""Tables for notebooks: plain HTML that takes its colours from what is around it, so that it suits every theme.

Nothing is loaded, nothing runs. Where the style is taken out, as on code hosts, tables stay tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_MOST_ROWS = 24  # of a longer table, so many in all from both ends

# All colours are those of the text around, thinner or not: a theme may be dark where the system is light. The class is
# named twice to count for more than the notebook's own rules for tables.
_STYLE = """<style>
.fastnn.fastnn { max-width: 100%; overflow-x: auto; line-height: 1.45; }
.fastnn.fastnn table { border-collapse: collapse; margin: 0.3em 0 0.6em; font-size: 0.92em; border: none;
  color: inherit; }
.fastnn.fastnn caption { caption-side: top; text-align: left; padding: 0 0.6em 0.3em; color: inherit;
  white-space: nowrap; }
.fastnn.fastnn th, .fastnn.fastnn td { padding: 0.18em 0.6em; text-align: left; vertical-align: top; color: inherit;
  background: transparent; border: none; max-width: 44em; white-space: normal; overflow-wrap: anywhere; }
.fastnn.fastnn th { font-weight: 600; }
.fastnn.fastnn th[scope="row"] { font-weight: 400; white-space: nowrap; }
.fastnn.fastnn .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.fastnn.fastnn thead th { border-bottom: 1px solid; border-color: color-mix(in srgb, currentColor 45%, transparent); }
.fastnn.fastnn tfoot th[scope="row"], .fastnn.fastnn tfoot td { font-weight: 600; border-top: 1px solid;
  border-color: color-mix(in srgb, currentColor 45%, transparent); }
.fastnn.fastnn .between td { opacity: 0.7; }
.fastnn.fastnn summary { cursor: pointer; padding: 0 0.6em; }
</style>"""


def shown(*parts: str) -> str:
    """Return what a notebook shows, of tables and the like."""
    return f'<div class="fastnn">{_STYLE}{"".join(parts)}</div>'


def table(
    caption: str,
    columns: Mapping[str, bool],
    rows: Sequence[Sequence[Any]],
    total: Sequence[Any] = (),
    note: str = "",
) -> str:
    """Return a table; of a long one, its beginning and its end.

    Parameters
    ----------
    caption : str
    columns : mapping of str to bool
        Headings, and whether numbers stand below.
    rows : sequence of sequence
        The first cell of each is its heading.
    total : sequence, optional
        The last row.
    note : str
        What is said beside the caption.
    """
    kinds = list(columns.values())
    head = "".join(_cell("th", name, is_number, "col") for name, is_number in columns.items())
    if len(rows) <= _MOST_ROWS:
        body = "".join(_row(row, kinds) for row in rows)
    else:
        half = _MOST_ROWS // 2
        between = f'<tr class="between"><td colspan="{len(kinds)}">… {len(rows) - 2 * half:,} more …</td></tr>'
        body = "".join(
            [*(_row(row, kinds) for row in rows[:half]), between, *(_row(row, kinds) for row in rows[-half:])]
        )
    foot = f"<tfoot>{_row(total, kinds)}</tfoot>" if total else ""
    return f"<table>{_caption(caption, note)}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"


def facts(caption: str, values: Mapping[str, Any], note: str = "") -> str:
    """Return names and what they stand for, a row each."""
    body = "".join(_row(item, [False, False]) for item in values.items())
    return f"<table>{_caption(caption, note)}<tbody>{body}</tbody></table>"


def folded(summary: str, inside: str) -> str:
    """Return what is seen when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def number(value: float) -> str:
    """Return a number as tables of results have it."""
    return f"{value:.4g}"


def counted(n: int, noun: str) -> str:
    """Return a number of things, in words."""
    return f"{n:,} {noun}" + "s" * (n != 1)


def _caption(caption: str, note: str) -> str:
    return f"<caption><strong>{escape(caption)}</strong>{escape(f' · {note}' if note else '')}</caption>"


def _row(cells: Sequence[Any], kinds: Sequence[bool]) -> str:
    first, *others = zip(cells, kinds, strict=True)
    return f"<tr>{_cell('th', *first, 'row')}{''.join(_cell('td', *cell) for cell in others)}</tr>"


def _cell(tag: str, value: Any, is_number: bool, scope: str = "") -> str:
    given = (f' scope="{scope}"' if scope else "") + (' class="number"' if is_number else "")
    return f"<{tag}{given}>{escape(str(value))}</{tag}>"
