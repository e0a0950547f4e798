"""The command ``fastnn``: the group that holds all others, each of which has a file of its own."""

from __future__ import annotations

from typing import Any

import click

from fastnn._version import __version__
from fastnn.cli.evaluate import evaluate
from fastnn.cli.export import export
from fastnn.cli.failures import INTERRUPTED
from fastnn.cli.info import info
from fastnn.cli.playground import playground
from fastnn.cli.plot import page
from fastnn.cli.predict import predict
from fastnn.cli.reproduce import reproduce
from fastnn.cli.suggesting import SuggestingGroup
from fastnn.cli.train import train
from fastnn.cli.verify import verify

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Commands(SuggestingGroup):
    """The commands; Ctrl-C ends each of them in one line, with the exit status of that."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("fastnn: interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", prog_name="fastnn", message="%(prog)s %(version)s")
def fastnn() -> None:
    """Neural networks on CPUs: fast for small and medium networks, and the same bits on every machine."""


fastnn.add_command(train)
fastnn.add_command(reproduce)
fastnn.add_command(predict)
fastnn.add_command(evaluate)
fastnn.add_command(info)
fastnn.add_command(export)
fastnn.add_command(page)
fastnn.add_command(playground)
fastnn.add_command(verify)
