"""The command ``fastnn info``: what is in a model file."""

from __future__ import annotations

import os

import click
from rich.markup import escape

from fastnn._runtime.configuration import config
from fastnn.cli import display, models
from fastnn.cli.tables import display as table_display
from fastnn.tables.model import METADATA


@click.command(short_help="Show what is in a model file.")
@click.argument("model", metavar="MODEL")
def info(model: str) -> None:
    """Show what is in a model file: layers, parameters, digest, metadata; of a table, its columns and categories."""
    network = models.load(model)
    out = display.console()
    out.print(f"[bold]{escape(model)}[/]: {os.path.getsize(model):,} bytes\n")
    metadata = dict(network.metadata)
    if metadata.pop(METADATA, None) is not None:
        table = models.table_model(network, model)
        display.show(out, display.values_table("Target", table_display.target_values(table.target)))
        table_display.show_columns(out, table.preprocessor)
        del metadata["divisor"]  # is for models of rows of features
        metadata |= {f"test {name}": value for name, value in dict(metadata.pop("test_scores", {})).items()}
    display.show(out, display.network_table(network))
    values = {
        "dtype": network.dtype,
        "seed": network.seed,
        "digest": network.digest(),
        "numerics_version": config()["numerics version"],
        **metadata,
    }
    named = {name.replace("_", " "): value for name, value in values.items()}
    display.show(out, display.values_table("Model", named), whole=True)
