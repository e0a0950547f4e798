"""The bar that shows how far a run is."""

from __future__ import annotations

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
            from tqdm.auto import tqdm
        except ImportError:
            if wanted == "auto":
                return
            raise ImportError("progress needs tqdm: pip install tqdm") from None
        done = -(-state.training.position // batch_size)
        total = max(0, last_epoch - state.history.epochs) * steps_per_epoch - done
        self.first = state.training.steps
        # disable=None: no bar where the output is not a terminal
        self.bar = tqdm(total=total, unit="step", disable=None if wanted == "auto" else False)
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
