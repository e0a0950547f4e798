"""The bar that shows how far a run is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Self

from fastnn.training.state import RunState


class Progress:
    """A bar by tqdm, in terminals and notebooks, that counts updates; or nothing.

    Parameters
    ----------
    wanted : bool or "auto"
    state : RunState
    last_epoch : int
        The number of the epoch at which the run ends.
    batch_size, steps_per_epoch : int
    """

    def __init__(
        self, wanted: bool | str, state: RunState, last_epoch: int, batch_size: int, steps_per_epoch: int
    ) -> None:
        self.state = state
        self.last_epoch = last_epoch
        self.bar: Any = None
        if wanted is False:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if wanted == "auto":
                return
            raise ImportError("progress needs tqdm: pip install tqdm") from None
        done = -(-state.training.position // batch_size)
        total = max(0, last_epoch - state.history.epochs) * steps_per_epoch - done
        self.first = state.training.steps
        # disable=None: no bar where the output is neither a terminal nor a notebook
        disable = None if wanted == "auto" else False
        self.bar = tqdm(total=total, unit="step", file=NotebookLine.here(), disable=disable)
        self.bar.set_description(self.title(), refresh=False)

    def title(self) -> str:
        """Name the epoch under way."""
        return f"epoch {min(self.state.history.epochs + 1, self.last_epoch)}/{self.last_epoch}"

    def update(self) -> None:
        """Count the updates made meanwhile."""
        if self.bar is not None:
            self.bar.update(self.state.training.steps - self.first - self.bar.n)

    def end_epoch(self, values: dict[str, float]) -> None:
        """Show the epoch's row of the history."""
        if self.bar is not None:
            shown = {name: f"{value:.4g}" for name, value in values.items() if name != "learning_rate"}
            self.bar.set_postfix(shown, refresh=False)
            self.bar.set_description(self.title(), refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


class NotebookLine:
    """A line of text in a notebook that is written over, and stays when the notebook is saved or exported.

    A widget would need ``ipywidgets``, and leaves in an exported notebook what it showed at first.

    Parameters
    ----------
    publish : callable
        The ``publish`` of IPython's display publisher.
    """

    encoding = "utf-8"  # so that tqdm draws bars of blocks

    def __init__(self, publish: Callable[..., Any]) -> None:
        import uuid  # here, as `import fastnn` does without it

        self.publish = publish
        self.transient = {"display_id": uuid.uuid4().hex}
        self.is_there = False

    @classmethod
    def here(cls) -> NotebookLine | None:
        """Return a line if this is a notebook."""
        ipython = sys.modules.get("IPython")
        shell: Any = None if ipython is None else ipython.get_ipython()
        return cls(shell.display_pub.publish) if "IPKernelApp" in getattr(shell, "config", ()) else None

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            self.publish({"text/plain": line}, {}, transient=self.transient, update=self.is_there)
            self.is_there = True

    def flush(self) -> None:
        """Do nothing: what is written is there at once."""

    def isatty(self) -> bool:
        """Return True: what is written over is seen, as in a terminal."""
        return True
