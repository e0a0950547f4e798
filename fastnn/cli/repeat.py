"""A run repeated from its record: ``fastnn reproduce``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from fastnn import callbacks, records, reproduction
from fastnn.cli import opening
from fastnn.cli.built_in.datasets import DATASETS
from fastnn.cli.failures import Failure, RunFailure, reason
from fastnn.errors import DivergedError


def read(path: str) -> dict[str, Any]:
    """Read a record whose data set is built in, or a table in a file.

    Raises
    ------
    Failure
        If the file is missing, damaged, not the record of a run, or of a run that cannot be repeated here.
    """
    try:
        record = records.read(path)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    if not opening.is_known(record):
        name = record["data"].get("name")
        what = "names no data set" if name is None else f"is of the data set {name!r}, which is not built in"
        raise Failure(f"{path!r} {what} ({', '.join(DATASETS)}); with the data, use fastnn.reproduction.reproduce")
    results = record.get("results")
    if isinstance(results, Mapping) and results.get("interrupted"):
        raise Failure(f"{path!r} is of a run that was interrupted: a part of a run cannot be repeated")
    return record


def title(record: Mapping[str, Any]) -> str:
    """Say in one line what is repeated."""
    wrote = record["environment"]
    data = record["data"]
    return f"{data.get('name') or data.get('file')}, {epochs(record)} epochs, recorded by fastnn {wrote['fastnn']}"


def epochs(record: Mapping[str, Any]) -> int:
    """Read how many epochs there were."""
    found = record["training"]["epochs"]
    if type(found) is not int or found < 0:
        raise Failure(f"the record is damaged: 'training.epochs' is {found!r}")
    return found


def reproduce(
    path: str,
    record: Mapping[str, Any],
    threads: int | Literal["auto"],
    watching: Iterable[callbacks.Callback],
    table: str | None = None,
) -> reproduction.Reproduction:
    """Train anew and compare.

    Raises
    ------
    Failure
        If the record does not say enough, or its data are others than those built in, or in the file (``table``, or
        the one that the record names).
    RunFailure
        If training diverges, which the recorded run did not.
    """
    if table is not None and not opening.is_of_table(record):
        raise Failure(f"--data is for runs on tables; {path!r} is of {record['data']['name']}, which is built in")
    given = opening.recorded(path, record, table).parts.given()
    try:
        return reproduction.reproduce(path, **given, callbacks=watching, threads=threads)
    except DivergedError as error:
        raise RunFailure(error) from None
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None


def difference(found: tuple[int, str, float | None, float | None]) -> str:
    """Say where two histories part."""
    epoch, column, before, now = found
    return f"epoch {epoch}, {column.replace('_', ' ')}: {before!r} recorded, {now!r} here"


def failure(result: reproduction.Reproduction, recorded: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say in one line what differs: the digests, where they part, and the environments."""
    where = "" if result.first_difference is None else f"; they part in {difference(result.first_difference)}"
    names = ("fastnn", "instruction_set", "threads", "compiler", "platform")
    environments = [", ".join(f"{entry[name]}" for name in names if name in entry) for entry in (recorded, here)]
    return (
        f"not the same bits: expected {result.expected}, found {result.found}{where}; "
        f"recorded on {environments[0]}; repeated on {environments[1]}"
    )
