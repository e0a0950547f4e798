"""What a run of ``fastnn train`` leaves in its folder: model, record and picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastnn import plot, records
from fastnn.cli import objectives
from fastnn.cli.fitting import Result
from fastnn.cli.run import Run


def write(folder: Path, run: Run, result: Result) -> dict[str, Path]:
    """Write model, record and, unless no epoch was completed, picture; give their paths."""
    trainer, chosen, source = run.trainer, run.chosen, run.source
    paths = {"model": folder / "model.safetensors", "record": folder / "record.json"}
    trainer.network.metadata = source.metadata(trainer.network, result.scores)
    trainer.network.save(paths["model"])
    record = records.run_record(
        trainer,
        **run.given(),
        hyperparameters=chosen.described(),
        seeds={"split": chosen.split_seed},
        data=source.described(),
        results={
            **source.results(result.scores),
            "confusion": result.scores.confusion,
            "best_epoch": result.best_epoch,
            "seconds": result.seconds,
            "interrupted": result.interrupted,
        },
    )
    records.write(paths["record"], record)
    if trainer.history.epochs:
        paths["picture"] = folder / "learning_curve.png"
        accuracy = ["accuracy"] if objectives.is_of_one_class(trainer.loss) else []
        _draw(paths["picture"], trainer.history, "loss", *accuracy)
    return paths


def _draw(path: Path, history: Mapping[str, list[float]], *columns: str) -> None:
    """Write learning curves as a PNG, side by side, of those columns that the history has."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [name for name in columns if name in history]
    figure = Figure(figsize=(plot.FIGURE_SIZE[0] * len(shown), plot.FIGURE_SIZE[1]), layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(shown, 1):
        plot.learning_curve(history, figure.add_subplot(1, len(shown), number), name)
    figure.savefig(path, dpi=120)
