"""The progress of a run while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fastnn import callbacks
from fastnn.cli import objectives

LINES = 10  # in a run


class ShowProgress(callbacks.Callback):
    """Show a bar with the latest loss and accuracy, and a line for about every tenth of the epochs; a context manager.

    Parameters
    ----------
    out : rich.console.Console
    epochs : int
        Of the whole run.
    validation_accuracy : callable, optional
        Gives the accuracy on the validation data, where training does not.
    """

    def __init__(
        self, out: Console, epochs: int, validation_accuracy: Callable[[], float | None] = lambda: None
    ) -> None:
        self.out = out
        self.validation_accuracy = validation_accuracy
        self.epochs = epochs
        self.every = max(1, -(-epochs // LINES))
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            TimeElapsedColumn(),
            console=out,
            disable=not out.is_terminal or out.quiet,
        )
        self.task = self.progress.add_task("training", total=epochs, values="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def on_fit_begin(self, trainer: Any) -> None:
        self.progress.update(self.task, completed=trainer.epoch)

    def on_epoch_end(self, trainer: Any, epoch: int, values: Mapping[str, float]) -> None:
        figures = {"loss": values["loss"]}
        is_of_one_class = objectives.is_of_one_class(trainer.loss)
        if is_of_one_class:
            figures["accuracy"] = values["accuracy"]
        if "val_loss" in values:
            figures["val loss"] = values["val_loss"]
            accuracy = values.get("val_accuracy") if is_of_one_class else self.validation_accuracy()
            if accuracy is not None:
                figures["val accuracy"] = accuracy
        text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        short = "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if name != "val loss")
        self.progress.update(self.task, completed=epoch, values=short)
        if epoch == 1 or epoch % self.every == 0 or epoch == self.epochs:
            self.out.print(f"  epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}  {text}")
