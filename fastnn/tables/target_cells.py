"""The cells of a column that is predicted: what they look like, and that none is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.tables import cells as _cells
from fastnn.tables.cells import CellError, Cells
from fastnn.tables.number_formats import HINT
from fastnn.tables.texts import Rules, decided

FEW_CLASSES = 10  # whole numbers of at most so many values are taken for classes
ROWS_OF_A_CLASS = 5


def is_classes(name: str, column: Any, rules: Rules = Rules()) -> bool:  # noqa: B008
    """Return whether a column looks like classes: texts, truth values, or few whole numbers with several rows each.

    Raises
    ------
    ValueError
        If it cannot be a target: no cell has a value, it holds dates, or numbers in most rows only.
    """
    cells = decided(_cells.cells(name, column), rules.strict)
    if cells.kind in ("none", "date"):
        problem = "has no value in any row" if cells.kind == "none" else "must be numbers or classes; got dates"
        raise ValueError(f"the target {name!r} {problem}")
    if cells.kind != "number":
        _check_not_mixed(cells)
        return True
    assert cells.numbers is not None
    numbers = cells.numbers[cells.present]
    different = np.unique(numbers)
    is_whole = all(float(x).is_integer() for x in different[: FEW_CLASSES + 1].tolist())
    n = len(set(cells.as_texts()) - {None}) if cells.holds_integers else len(different)
    return is_whole and n <= FEW_CLASSES and len(numbers) >= ROWS_OF_A_CLASS * n


def as_classes(name: str, column: Any, rules: Rules) -> Cells:
    """Return the cells of a target that is known to be classes: texts, but for numbers as Python writes them."""
    return decided(_cells.cells(name, column), rules.strict, "text")


def as_quantity(name: str, column: Any, rules: Rules) -> Cells:
    """Return the cells of a target that is known to be a number."""
    cells = decided(_cells.cells(name, column), rules.strict, "number")
    _check_not_mixed(cells)
    return cells


def _check_not_mixed(cells: Cells) -> None:
    if cells.odd is not None:
        problem = f"expected a number, written as in most rows; got {cells.odd}{HINT}"
        raise CellError(cells.name, cells.odd.row, problem)


def complete(cells: Cells) -> Cells:
    """Return the cells of a target, each of which has a value."""
    if cells.kind == "date":
        raise ValueError(f"the target {cells.name!r} must be numbers or classes; got dates")
    there = cells.present
    if not there.all():
        raise CellError(cells.name, int((~there).argmax()), "expected a value of the target; got a missing cell")
    return cells


def complete_numbers(cells: Cells) -> np.ndarray:
    """Return the numbers of a target, each of which is there."""
    cells = complete(cells)
    if not len(cells):
        raise ValueError(f"the target {cells.name!r} must have at least one row; got none")
    if cells.numbers is None:
        raise CellError(cells.name, 0, f"expected a number; got {cells.as_texts()[0]!r}")
    return cells.numbers
