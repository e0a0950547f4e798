"""The command ``fastnn export``: a model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from fastnn.cli import display, models
from fastnn.cli.failures import Failure, reason
from fastnn.cli.options import Name


@click.command(short_help="Write a model as an ONNX file, for other runtimes.")
@click.argument("model", metavar="MODEL")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; by default beside MODEL, with the ending .onnx.",
)
@click.option(
    "--activation",
    type=Name(("softmax", "sigmoid")),
    metavar="NAME",
    help="softmax or sigmoid: applied to the outputs of a network, so that logits become probabilities.",
)
def export(model: str, output: Path | None, activation: str | None) -> None:
    """Write a model as an ONNX file, which runtimes in other languages and places can read.

    A model of a table takes a named input for each column, and its preprocessing goes with it; any other takes rows of
    numbers. Needs onnx (the extra onnx).
    """
    try:
        from fastnn.onnx import export as export_model
    except ImportError as error:
        raise Failure(error) from None
    network = models.load(model)
    path = output or Path(model).with_suffix(".onnx")
    if path.resolve() == Path(model).resolve():
        raise Failure(f"{str(path)!r} is the model itself; name another file with -o")
    is_table = models.is_of_table(network)
    try:
        export_model(models.table_model(network, model) if is_table else network, path, activation=activation)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    out = display.console()
    kind = "a model of a table" if is_table else "a network"
    out.print(f"[bold]{escape(str(path))}[/]: {kind}, {path.stat().st_size:,} bytes")
    divisor = network.metadata["divisor"]
    if divisor != 1:
        out.print(f"It takes the values of the data set divided by {divisor:g}.")
