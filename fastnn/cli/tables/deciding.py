"""What is predicted of a table, and with which loss: as it was chosen, otherwise by what the columns hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._input import checks
from fastnn.cli import objectives
from fastnn.cli.tables.files import in_file
from fastnn.cli.tables.options import TableOptions
from fastnn.tables import cells, target_cells
from fastnn.tables.cells import Cells
from fastnn.tables.texts import Rules

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import Part


@dataclass(frozen=True)
class Decision:
    """What is predicted.

    Attributes
    ----------
    cells : Cells
        Of the column.
    task : str
        One of `fastnn.cli.objectives.TASKS`.
    loss : str
        One of those of the task.
    there : bool ndarray, shape (n,)
        Which rows have a target.
    """

    cells: Cells
    task: str
    loss: str
    there: np.ndarray


def decide(path: str, part: Part, options: TableOptions, loss: str | None) -> Decision:
    """Decide what is predicted; a loss that is None is chosen by the task.

    Raises
    ------
    ValueError
        If the table does not suit the options; the message names file, column and row.
    """
    name = _target_name(path, options, part.columns)
    if len(part.columns) + len(part.unreadable) < 2:
        raise ValueError(
            f"{path}: expected at least one column beside the target {name!r}; got none: a text file starts with the "
            "names of its columns, and --separator says what is between them"
        )
    _check_named(path, options, part.columns, name)
    with in_file(path, part.rows):
        task = options.task or _task_of(loss, options, name, part.columns[name])
    loss = loss or _loss_of(task, options)
    _check_loss(loss, task, options, name)
    if options.log_target and (task == "classification" or loss in objectives.OF_COUNTS):
        what = f"{task} of {name!r}" if task == "classification" else f"the loss {loss}, whose outputs are logarithms"
        raise ValueError(f"--log-target is for regression with other losses; not for {what}")
    with in_file(path, part.rows):
        column = as_target(part, name, task, options.rules)
        there = column.present
        if not there.any():
            target_cells.is_classes(name, column)  # which says that there is none
    return Decision(column, task, loss, there)


def as_target(part: Part, name: str, task: str, rules: Rules) -> Cells:
    """Read the column that is predicted.

    Raises
    ------
    ValueError
        If a cell is not what the task is about.
    """
    read = target_cells.as_classes if task == "classification" else target_cells.as_quantity
    return read(name, part.columns[name], rules)


def _target_name(path: str, options: TableOptions, columns: Mapping[str, Any]) -> str:
    if options.target is None:
        return list(columns)[-1]
    if options.target not in columns:
        hint = checks.nearest(options.target, columns)
        raise ValueError(f"{path}: no column is named {options.target!r}{hint}; it has {cells.quoted(list(columns))}")
    return options.target


def _check_named(path: str, options: TableOptions, columns: Mapping[str, Any], target: str) -> None:
    """Refuse names in options that are not of columns to learn from."""
    for argument in ("categorical", "numeric", "ignore"):
        for other in getattr(options, argument) or ():
            if other not in columns or other == target:
                what = "the target" if other == target else "no column of it"
                raise ValueError(f"{path}: --{argument} must name columns to learn from; {other!r} is {what}")
    for other in options.categorical or ():
        if other in (options.ignore or ()):
            raise ValueError(f"{path}: --categorical must name columns that --ignore does not; got {other!r} in both")
    for other in options.numeric or ():
        for argument in ("categorical", "ignore"):
            if other in (getattr(options, argument) or ()):
                raise ValueError(f"{path}: --numeric must not name columns that --{argument} names too; got {other!r}")


def _task_of(loss: str | None, options: TableOptions, name: str, column: np.ndarray | Cells) -> str:
    if loss is not None:
        return next((task for task, known in objectives.TASKS.items() if loss in known), "regression")
    if options.quantiles is not None:
        return "regression"
    return "classification" if target_cells.is_classes(name, column, options.rules) else "regression"


def _loss_of(task: str, options: TableOptions) -> str:
    return objectives.DEFAULT_WITH_QUANTILES if options.quantiles is not None else objectives.DEFAULTS[task]


def _check_loss(loss: str, task: str, options: TableOptions, name: str) -> None:
    known = objectives.TASKS[task]
    if loss not in known:
        raise ValueError(f"--loss must be one of {', '.join(known)} for {task} of {name!r}; got {loss}")
    if options.quantiles is not None and loss not in objectives.WITH_QUANTILES:
        of_quantiles = ", ".join(objectives.WITH_QUANTILES)
        raise ValueError(f"--quantiles is for the loss {of_quantiles}; the loss is {loss}")
