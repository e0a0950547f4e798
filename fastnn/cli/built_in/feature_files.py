"""Rows of features in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastnn._readers import delimited
from fastnn.cli.built_in.datasets import DATASETS
from fastnn.cli.failures import Failure, reason


def read(path: str) -> np.ndarray:
    """Read the rows of features in a .npy file or in a .csv file (numbers only, after at most one line of headings).

    Raises
    ------
    Failure
        If the file is missing, damaged, of another kind, or not a table of numbers.
    """
    suffix = Path(path).suffix.lower()
    try:
        if suffix == ".npy":
            rows = np.load(path, allow_pickle=False)
        elif suffix == ".csv":
            rows = _read_csv(path)
        else:
            raise Failure(f"{path}: expected the name of a data set ({', '.join(DATASETS)}), a .npy or a .csv file")
    except (OSError, ValueError, EOFError) as error:
        message = reason(error)
        raise Failure(message if path in message else f"{path}: {message}") from None
    if rows.dtype.kind not in "fiub":
        raise Failure(f"{path}: expected numbers; got an array of dtype {rows.dtype}")
    return rows[None, :] if rows.ndim == 1 else rows


def _read_csv(path: str) -> np.ndarray:
    """Read a table of numbers; the message of an error names file and line."""
    with open(path, encoding="utf-8-sig") as file:
        lines = [(number, line) for number, line in enumerate(file, 1) if line.strip()]
    table: list[list[float]] = []
    for position, (number, line) in enumerate(lines):
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        try:
            table.append([float(cell) for cell in cells])
        except ValueError:
            if position == 0:
                continue
            wrong = next(cell for cell in cells if not delimited.is_number(cell))
            raise ValueError(f"{path}: line {number}: {wrong!r} is not a number") from None
        if len(cells) != len(table[0]):
            raise ValueError(f"{path}: line {number} has {len(cells)} columns; the lines before have {len(table[0])}")
    if not table:
        raise ValueError(f"{path}: no rows of numbers")
    return np.array(table)
