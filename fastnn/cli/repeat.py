"""A run repeated from its record: ``fastnn reproduce``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastnn import callbacks, losses, records, reproduction
from fastnn.cli import run, table_repeat
from fastnn.cli.datasets import DATASETS, Failure, RunFailure, reason
from fastnn.errors import DivergedError

environment = records.environment


def read(path: str) -> dict[str, Any]:
    """A record whose data set is built in, or a table in a file.

    Raises
    ------
    Failure
        If the file is missing, damaged, not the record of a run, or of a run that cannot be repeated here.
    """
    try:
        record = records.read(path)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    name, results = record["data"].get("name"), record.get("results")
    if not table_repeat.is_of_table(record) and (not isinstance(name, str) or name not in DATASETS):
        what = "names no data set" if name is None else f"is of the data set {name!r}, which is not built in"
        raise Failure(f"{path!r} {what} ({', '.join(DATASETS)}); with the data, use fastnn.reproduction.reproduce")
    if isinstance(results, Mapping) and results.get("interrupted"):
        raise Failure(f"{path!r} is of a run that was interrupted: a part of a run cannot be repeated")
    return record


def title(record: Mapping[str, Any]) -> str:
    """What is repeated, in one line."""
    wrote = record["environment"]
    data = record["data"]
    return f"{data.get('name') or data.get('file')}, {epochs(record)} epochs, recorded by fastnn {wrote['fastnn']}"


def epochs(record: Mapping[str, Any]) -> int:
    found = record["training"]["epochs"]
    if type(found) is not int or found < 0:
        raise Failure(f"the record is damaged: 'training.epochs' is {found!r}")
    return found


def reproduce(
    path: str,
    record: Mapping[str, Any],
    threads: int | str,
    watching: Iterable[callbacks.Callback],
    table: str | None = None,
) -> reproduction.Reproduction:
    """Trains anew and compares.

    Raises
    ------
    Failure
        If the record does not say enough, or its data are others than those built in, or in the file (``table``, or
        the one that the record names).
    RunFailure
        If training diverges, which the recorded run did not.
    """
    if table_repeat.is_of_table(record):
        X, y, validation = table_repeat.fit_data(path, record, table)
    elif table is not None:
        raise Failure(f"--data is for runs on tables; {path!r} is of {record['data']['name']}, which is built in")
    else:
        X, y, validation = _built_in(path, record)
    try:
        return reproduction.reproduce(path, X, y, validation_data=validation, callbacks=watching, threads=threads)
    except DivergedError as error:
        raise RunFailure(error) from None
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None


def _built_in(path: str, record: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What a run on a built-in data set was given."""
    given, source = record["data"], DATASETS[record["data"]["name"]]
    try:
        fractions = given["test_fraction"], given["validation_fraction"]
        train, validation, _ = run.parts(source, record["network"]["dtype"], *fractions, record["seeds"]["split"])
        classifies = record["training"]["loss"]["type"] == losses.CrossEntropy.__name__
        loss = losses.CrossEntropy() if classifies else losses.MeanSquaredError()
        return run.fit_data(source, train, validation, loss)
    except KeyError as error:
        raise Failure(f"{path!r} is damaged: it has no entry {error}") from None
    except (TypeError, ValueError) as error:
        raise Failure(f"{path!r} is damaged: {error}") from None


def difference(found: tuple[int, str, float | None, float | None]) -> str:
    """Where two histories part."""
    epoch, column, before, now = found
    return f"epoch {epoch}, {column.replace('_', ' ')}: {before!r} recorded, {now!r} here"


def failure(result: reproduction.Reproduction, recorded: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """One line on what differs: the digests, where they part, and the environments."""
    where = "" if result.first_difference is None else f"; they part in {difference(result.first_difference)}"
    names = ("fastnn", "instruction_set", "threads", "compiler", "platform")
    environments = [", ".join(f"{entry[name]}" for name in names if name in entry) for entry in (recorded, here)]
    return (
        f"not the same bits: expected {result.expected}, found {result.found}{where}; "
        f"recorded on {environments[0]}; repeated on {environments[1]}"
    )
