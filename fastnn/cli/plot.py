"""The command ``fastnn plot``: all that can be drawn of a run, on one page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.markup import escape

from fastnn import plot, records
from fastnn.cli import display, opening
from fastnn.cli.failures import Failure, Incomplete, reason

IMAGE_SHAPES = {"digits": (8, 8)}
PAGE, RECORD = "page.html", "record.json"


@click.command("plot", short_help="Draw a run on one HTML page.")
@click.argument("folder", metavar="RUN")
@click.option("--output", "-o", metavar="FILE", help="Where the page goes. [page.html in the folder]")
@click.option("--data", "table", metavar="FILE", help="The table, if it is not where the record says.")
@click.option("--without-data", is_flag=True, help="Leave out the pictures that take data.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing.")
def page(folder: str, output: str | None, table: str | None, without_data: bool, quiet: bool) -> None:
    """Draw a run on one HTML page.

    RUN is a folder that `fastnn train` wrote. The page holds its learning curves, network, weights, confusion matrix,
    activations, gradients and record, and needs no other file. Pictures that take data are of the rows held out for the
    test; a table is looked for where it was, and beside the run.
    """
    if table is not None and without_data:
        raise click.UsageError("--data and --without-data exclude each other")
    record = Path(folder, RECORD) if os.path.isdir(folder) else Path(folder)
    path = Path(output) if output is not None else record.with_name(PAGE)
    try:
        recorded = records.read(record)
        data = None if without_data else held_out(str(record), recorded, table)
        name = recorded["data"].get("name")
        shape = IMAGE_SHAPES.get(name) if isinstance(name, str) and data is not None else None
        plot.page(record, path, data=data, image_shape=shape)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None
    out = display.console(quiet)
    out.print(f"{escape(str(path))}: {os.path.getsize(path):,} bytes")


def held_out(path: str, record: Mapping[str, Any], table: str | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the rows that a run was tested on, and targets as its loss takes them; None if the record does not say."""
    is_of_table = opening.is_of_table(record)
    if table is not None and not is_of_table:
        raise ValueError(f"--data is for runs on tables; {path} is of a run on {record['data'].get('name')}")
    if not opening.is_known(record):
        return None
    try:
        rows = opening.recorded(path, record, table).parts.test
    except Incomplete:
        if table is None:
            return None
        raise
    except Failure as failure:
        if table is None and is_of_table:
            raise Failure(f"{failure}; or leave out the pictures that take data with --without-data") from None
        raise
    return rows.X, rows.y
