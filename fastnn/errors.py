"""Errors of its own kind; bad arguments raise ValueError and TypeError, files OSError and ValueError."""


class DivergedError(FloatingPointError):
    """A loss or an update became NaN or infinite; the network holds the last finite parameters.

    Attributes
    ----------
    epoch, step : int
        Where, counting from 1.
    learning_rate : float
        Of that step.
    what : str
        What left the finite range first: the outputs of a layer, the update of its parameters (they, or the squares of
        gradients that an adaptive optimizer keeps), or the loss alone.
    layer : int or None
        The place of that layer in ``network.layers``.
    """

    def __init__(self, epoch: int, step: int, learning_rate: float, what: str, layer: int | None) -> None:
        super().__init__(epoch, step, learning_rate, what, layer)
        self.epoch = epoch
        self.step = step
        self.learning_rate = learning_rate
        self.what = what
        self.layer = layer

    def __str__(self) -> str:
        return (
            f"training diverged in epoch {self.epoch}, step {self.step}: {self.what} became NaN or infinite at the "
            f"learning rate {self.learning_rate:g}. The network holds the last finite parameters. "
            f"Lower the learning rate, clip the gradient (clip_norm) or standardise the data (fn.data.standardize)."
        )
