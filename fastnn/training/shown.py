"""A trainer as notebooks show it."""

from __future__ import annotations

from typing import Any

from fastnn._display import notebook


def trainer(trainer: Any) -> str:
    """Return tables in HTML: what is trained and how far, and the layers."""
    latest = {name.replace("_", " "): notebook.number(value) for name, value in trainer.history.last().items()}
    network = trainer.network
    features, outputs, parameters = map(
        notebook.counted,
        (network.n_features, network.n_outputs, network.n_parameters),
        ("feature", "output", "parameter"),
    )
    facts = {
        "loss": repr(trainer.loss),
        "optimizer": repr(trainer.optimizer),
        "batch size": trainer.batch_size,
        "seed": trainer.seed,
        "network": f"{features}, {outputs}, {parameters}",
        "trained": f"{notebook.counted(trainer.epoch, 'epoch')}, {notebook.counted(trainer.steps, 'step')}",
        **({"latest epoch": ", ".join(f"{name} {value}" for name, value in latest.items())} if latest else {}),
    }
    layers = notebook.folded("Layers", trainer.network._repr_html_())
    return notebook.shown(notebook.facts("Trainer", facts), layers)
