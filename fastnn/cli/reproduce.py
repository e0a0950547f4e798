"""The command ``fastnn reproduce``: a run repeated from its record."""

from __future__ import annotations

from typing import Literal

import click
from rich.markup import escape

from fastnn import records
from fastnn.cli import display, repeat
from fastnn.cli.failures import INTERRUPTED, RunFailure
from fastnn.cli.options import Word
from fastnn.cli.progress import ShowProgress


@click.command(short_help="Repeat a run from its record and compare the bits.")
@click.argument("record", metavar="RECORD")
@click.option("--threads", type=Word("auto"), metavar="N|auto", default="auto", help="At most so many.")
@click.option("--data", "table", metavar="FILE", help="The table, if it is not where the record says.")
@click.option("--quiet", "-q", is_flag=True, help="Print one line at the end.")
@click.pass_context
def reproduce(ctx: click.Context, record: str, threads: int | Literal["auto"], table: str | None, quiet: bool) -> None:
    """Repeat a run from its record alone and compare the bits.

    RECORD is the record.json that `fastnn train` wrote, here or on another machine; a table has to have the values that
    it had. The exit status is 0 if the network trained anew has the digest that the record states, and 1 if it has
    another.
    """
    wanted = repeat.read(record)
    out = display.console(quiet)
    out.print(f"[bold]{escape(record)}[/]: {escape(repeat.title(wanted))}\n")
    epochs = repeat.epochs(wanted)
    try:
        with ShowProgress(out, epochs) as progress:
            result = repeat.reproduce(record, wanted, threads, [progress], table)
    except KeyboardInterrupt:
        click.echo("fastnn: interrupted", err=True)
        ctx.exit(INTERRUPTED)
    here = records.environment()
    out.print()
    display.show(out, display.network_table(result.trainer.network))
    display.show(out, display.comparison_table("Environment", wanted["environment"], here))
    outcome = {"expected digest": result.expected, "found digest": result.found, "same bits": result.is_same}
    if result.first_difference is not None:
        outcome["first difference"] = repeat.difference(result.first_difference)
    display.show(out, display.values_table("Result", outcome), whole=True)
    if not result.is_same:
        raise RunFailure(repeat.failure(result, wanted["environment"], here))
    if quiet:
        click.echo(f"reproduced, digest {result.found}")
