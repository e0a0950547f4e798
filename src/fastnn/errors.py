"""Errors of its own kind; bad arguments raise ValueError and TypeError, files OSError and ValueError."""


class DivergedError(FloatingPointError):
    """A loss or a parameter became NaN or infinite; the network holds the last finite parameters.

    Attributes
    ----------
    epoch, step : int
        Where, counting from 1.
    """

    def __init__(self, epoch: int, step: int, learning_rate: float) -> None:
        super().__init__(epoch, step, learning_rate)
        self.epoch = epoch
        self.step = step
        self.learning_rate = learning_rate

    def __str__(self) -> str:
        return (
            f"training diverged in epoch {self.epoch}, step {self.step}: the loss or a parameter became NaN or infinite"
            f" at the learning rate {self.learning_rate:g}. The network holds the last finite parameters. "
            f"Lower the learning rate, clip the gradient (clip_norm) or standardise the data (fn.data.standardize)."
        )
