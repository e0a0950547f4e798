"""The data sets that the commands know by name, and rows of features from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from fastnn import data
from fastnn._readers import delimited


@dataclass(frozen=True)
class Dataset:
    """A data set for classification.

    Attributes
    ----------
    name, title : str
    load : callable
        Gives X, (n, n_features), and y, labels of shape (n,) that index ``classes``.
    divisor : float
        A power of two that brings the features to about 0 to 1, exactly.
    classes : tuple of str
    """

    name: str
    title: str
    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    divisor: float
    classes: tuple[str, ...]


DATASETS = {
    "digits": Dataset(
        "digits",
        "handwritten digits, 8×8 pixels (UCI)",
        data.load_digits,
        16.0,
        tuple(str(digit) for digit in range(10)),
    ),
}


def is_table(path: str) -> bool:
    """Whether a name is that of a table in a file."""
    return path.lower().endswith(delimited.TABLE_ENDINGS)


class Failure(click.ClickException):
    """Wrong usage or a wrong file: one line on stderr."""

    exit_code = 2

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class RunFailure(Failure):
    """A run that was right to start and then failed."""

    exit_code = 1


def reason(error: BaseException) -> str:
    """What an error says, without the number of an OSError."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename!s}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def read_rows(path: str) -> np.ndarray:
    """The rows of features in a .npy file or in a .csv file (numbers only, after at most one line of headings).

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


def write_predictions(path: str, labels: list[str], outputs: np.ndarray, classes: list[str]) -> None:
    """Writes predictions as CSV, or as a .npy table of the fields ``label`` and ``outputs``."""
    if path.lower().endswith(".npy"):
        table = np.empty(
            len(labels), [("label", f"<U{max(map(len, classes))}"), ("outputs", outputs.dtype, outputs.shape[1])]
        )
        table["label"], table["outputs"] = labels, outputs
        np.save(path, table)
        return
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(predictions_csv(labels, outputs, classes))


def predictions_csv(labels: list[str], outputs: np.ndarray, classes: list[str]) -> str:
    """Predictions as CSV: row, label, an output for each class, with as many digits as reading back takes."""
    lines = [",".join(["row", "label", *classes])]
    for row, (label, values) in enumerate(zip(labels, outputs, strict=True)):
        lines.append(",".join([str(row), label, *(str(value) for value in values)]))
    return "\n".join([*lines, ""])
