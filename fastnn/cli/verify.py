"""The command ``fastnn verify``: the golden digests, recomputed on this machine."""

from __future__ import annotations

import json

import click
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from fastnn import _verify
from fastnn.cli import display
from fastnn.cli.failures import INTERRUPTED, Failure, RunFailure
from fastnn.cli.options import Units

MAX_THREADS = 64


@click.command(short_help="Check that this machine computes the right bits.")
@click.option("--isa", metavar="NAME,NAME…", help="Instruction sets. [all that the machine runs]")
@click.option("--threads", type=Units(), metavar="N,N…", default=_verify.THREADS, help="Numbers of threads. [1,2,3,7]")
@click.option("--only", "-k", metavar="PATTERN", default="*", help="Goldens whose name matches, or begins with it.")
@click.option("--json", "as_json", is_flag=True, help="Print every result as JSON, for a bug report.")
@click.pass_context
def verify(ctx: click.Context, isa: str | None, threads: tuple[int, ...], only: str, as_json: bool) -> None:
    """Check that this machine computes the right bits.

    Recomputes golden digests of every kernel, of what surrounds them, and of whole networks while they are trained, on
    every instruction set of the machine. The exit status is 0 if every digest holds, otherwise 1.
    """
    if not threads or max(threads) > MAX_THREADS:
        raise click.UsageError(f"--threads must be numbers from 1 to {MAX_THREADS}", ctx)
    out = display.console(quiet=as_json)
    isas = tuple(filter(None, (isa or "").split(",")))
    try:
        with Progress(
            TextColumn("verifying"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total} digests"),
            console=out,
            transient=True,
            disable=as_json or not out.is_terminal,
        ) as progress:
            task = progress.add_task("verifying")
            report = _verify.verify(
                isas, threads, only, lambda done, total: progress.update(task, completed=done, total=total)
            )
    except _verify.GoldenError as error:
        raise RunFailure(error) from None
    except ValueError as error:
        raise Failure(error) from None
    except KeyboardInterrupt:
        click.echo("fastnn: interrupted", err=True)
        ctx.exit(INTERRUPTED)
    if as_json:
        click.echo(json.dumps(report.as_data(), indent=1))
    else:
        display.show(out, display.verification_table(report))
        for line in report.differences():
            out.print(escape(line))
        out.print(f"[bold {'green' if report.ok else 'red'}]{escape(report.summary())}[/]")
    ctx.exit(0 if report.ok else 1)
