"""The trainer: gradient descent on a network, seeded, resumable, watched and steered by callbacks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastnn._engine.random import first_nonfinite
from fastnn._engine.training import Diverged
from fastnn._input import checks, rows
from fastnn._input.calls import Guarded, explained, hinting
from fastnn._input.elsewhere import INSTEAD
from fastnn.callbacks import Callback
from fastnn.history import History
from fastnn.losses import LOSSES, Loss
from fastnn.metrics import Metric
from fastnn.network import Network
from fastnn.optimizers import OPTIMIZERS, Optimizer
from fastnn.training import arguments, class_weights, datasets
from fastnn.training.arguments import FitArguments
from fastnn.training.divergence import diverged_error
from fastnn.training.evaluation import evaluate
from fastnn.training.loop import Loop
from fastnn.training.state import RunState
from fastnn.training.usual_targets import UsualTargets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn._input.names import LossName, MetricName, OptimizerName

_ndarray = np.ndarray  # looked up faster


@hinting
class Trainer(Guarded):
    """Trains a network: batch, stochastic or mini-batch gradient descent, by ``batch_size``.

    Parameters
    ----------
    network : Network
        Changed in place.
    loss : str or Loss
        A name of `fastnn.losses.LOSSES`, such as ``"cross_entropy"``, or an object of `fastnn.losses`, which takes
        parameters.
    optimizer : str or Optimizer, default "adam"
        A name of `fastnn.optimizers.OPTIMIZERS`, or an object of `fastnn.optimizers`, which takes parameters.
    batch_size : int or "full", default 32
        Rows of an update, at most all there are; ``"full"``: all of them. The last batch of an epoch may be smaller.
        The loss of a batch is the mean over its rows, weighted by their sample weights.
    seed : int, default 0
        Decides the order of the rows, the dropout masks and the rows that ``validation_fraction`` holds out.
    threads : int or "auto", default "auto"
        The most threads to use; ``"auto"``: at most `get_num_threads`, and one for little work. Where several may be
        used, both ways are timed and the faster one runs. The result does not depend on it.
    shuffle : bool, default True
        Whether each epoch has its own random order of the rows.
    metrics : sequence of (str or Metric), default ()
        ``"accuracy"``, ``"top_k"``, ``"mae"``, ``"rmse"``, ``"r2"``, or objects of `fastnn.metrics`: computed on
        validation data and by `evaluate`. Classifiers report their accuracy unasked.
    class_weight : dict, array_like or "balanced", optional
        Factor of the sample weights of each class, in training only: a dict of labels and factors (1 for labels left
        out), an array of one for each class, or ``"balanced"``: n / (classes · rows of the class).

    Attributes
    ----------
    network, loss, optimizer, batch_size, seed, shuffle, metrics
        As given, strings resolved.
    state : RunState
        All that changes, for what saves and restores runs.

    Reproducibility
    ---------------
    The same network, data and arguments give the same parameters and the same history to the last bit. This holds on
    every machine, with any number of threads, however often the run was interrupted, saved and loaded, and in every
    release with the same numerics version. It does not cover ``max_seconds``, which ends a run by the clock, nor what
    your own callbacks and metrics compute. See docs/numerics.md.

    Examples
    --------
    >>> trainer = fn.Trainer(net, loss="cross_entropy", optimizer=fn.Adam(1e-3), batch_size=64, seed=0)
    >>> history = trainer.fit(X, y, epochs=20, validation_data=(X_val, y_val), callbacks=[fn.EarlyStopping(patience=5)])
    """

    _FIXED = frozenset(("network", "loss", "optimizer", "seed", "threads", "metrics", "class_weight", "state"))
    _INSTEAD = INSTEAD["Trainer"]

    @explained
    def __init__(
        self,
        network: Network,
        loss: LossName | Loss,
        optimizer: OptimizerName | Optimizer = "adam",
        batch_size: int | Literal["full"] = 32,
        seed: int = 0,
        threads: int | Literal["auto"] = "auto",
        shuffle: bool = True,
        metrics: Sequence[MetricName | Metric] | MetricName | Metric = (),
        class_weight: Mapping[int, float] | ArrayLike | Literal["balanced"] | None = None,
    ) -> None:
        checks.instance(network, Network, "network", ": fn.Network(layers) makes one")
        self.network = network
        self.loss: Loss = checks.one_of(loss, Loss, LOSSES, "loss")
        self.loss.check_outputs(network.n_outputs, network.plan.output_activation)
        self.optimizer: Optimizer = checks.one_of(optimizer, Optimizer, OPTIMIZERS, "optimizer")
        self.batch_size = arguments.batch_size(batch_size)
        self.seed = checks.seed(seed)
        self.threads: int | str = checks.threads(threads)
        self.shuffle = checks.boolean(shuffle, "shuffle")
        self.metrics = arguments.metrics(metrics, self.loss, network.n_outputs)
        self.class_weight = class_weights.class_weight(class_weight, self.loss, network.n_outputs)
        self.state = RunState(network, self.loss, self.optimizer, self.seed, self.threads, self.class_weight)
        # What `step` looks at for every batch, within reach.
        self._dtype, self._n_features = network.plan.dtype, network.n_features
        self._usual_targets = UsualTargets(self.loss, network.n_outputs, self._dtype).taken

    @explained
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        epochs: int | None = None,
        *,
        max_epochs: int | None = None,
        sample_weight: ArrayLike | None = None,
        validation_data: Sequence[ArrayLike] | None = None,
        validation_fraction: float | None = None,
        callbacks: Iterable[Callback] | Callback = (),
        progress: bool | Literal["auto"] = False,
        max_seconds: float | None = None,
    ) -> History:
        """Train until ``epochs`` more epochs are completed, or ``max_epochs`` in all.

        Training continues from where the trainer stands: ``fit(epochs=5)`` and then ``fit(epochs=20)`` give the bits of
        ``fit(epochs=25)``. An epoch left unfinished by Ctrl-C, ``max_seconds``, a callback or a save in its middle is
        finished first, and counts. The data must be the same then.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Real numbers. In the network's dtype they are used in place, whatever their strides, memory maps too. Sparse
            matrices and arrays such as SciPy's are used in place in CSR, and converted to it from other formats. They
            give the same result as dense rows of the same values.
        y : array_like
            Targets, as the loss takes them.
        epochs : int, optional
            Number of additional epochs; default 1 unless ``max_epochs`` is given. 0 trains nothing: it only lets
            callbacks finish a run that was interrupted at its very end.
        max_epochs : int, optional
            Number of epochs in all, those of earlier calls included, instead of ``epochs``. The same call begins a run,
            resumes an interrupted one, and leaves a finished one as it is, also one that `EarlyStopping` ended.
        sample_weight : array_like, shape (n,), optional
            At least 0, not all 0.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Evaluated after each epoch, in the columns ``"val_…"`` of the history.
        validation_fraction : float, optional
            Share of the rows to hold out for validation instead, chosen by the seed. Both parts are copies.
        callbacks : sequence of Callback, optional
        progress : bool or "auto", default False
            Whether to show a progress bar; ``"auto"``: in terminals and notebooks, if tqdm is installed.
        max_seconds : float, optional
            Stop after this time, in the middle of an epoch if need be; the next ``fit`` continues from there.

        Returns
        -------
        History
            Of all epochs so far, as ``trainer.history`` is now. That one grows with the run; what is returned does not.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit. Nothing has changed then.
        DivergedError
            If the loss or a parameter becomes NaN or infinite. The network holds the last finite parameters.
        KeyboardInterrupt
            On Ctrl-C, within a fraction of a second, at a point from which ``fit`` can continue.

        Reproducibility
        ---------------
        The bits depend on the data's values, dtype and order. They do not depend on how the data lie in memory, nor on
        where a run was interrupted and resumed. float64 data are rounded to a float32 network's dtype once.
        """
        state = self.state
        if state.is_fitting:
            raise RuntimeError("fit cannot be called while this trainer is already fitting")
        given = FitArguments(
            *(self, X, y, epochs, max_epochs, sample_weight, validation_data, validation_fraction),
            *(callbacks, progress, max_seconds),
        )
        state.weight_by_class, state.columns = given.weight_by_class, given.columns
        state.give_states(given.callbacks)
        try:  # from here on: Ctrl-C may come between any two lines
            state.is_fitting, state.is_stopping = True, False
            state.callbacks, state.max_epochs = given.callbacks, given.max_epochs
            Loop(self, given).run()
        finally:
            state.is_fitting = False
        return state.history.snapshot()

    def step(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Make one update on one batch, with the bits that it has inside `fit`.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            The batch, of any size; nothing is copied or converted if it is in the network's dtype.
        y : array_like
            Targets, as the loss takes them. Fastest are int64 labels for cross-entropy, and for the other losses an
            array of the network's dtype.
        sample_weight : array_like, shape (n,), optional

        Returns
        -------
        float
            The loss of the batch before the update, penalties left out.

        Reproducibility
        ---------------
        Steps count on from each other: the n-th update of a trainer has the dropout masks and the learning rate of that
        number, whether `fit` or `step` makes it.
        """
        state = self.state
        if state.is_fitting:
            raise RuntimeError("step cannot be called while this trainer is fitting")
        if (
            type(X) is not _ndarray
            or X.dtype is not self._dtype
            or len(shape := X.shape) != 2
            or shape[1] != self._n_features
            or not shape[0]
            or first_nonfinite(X) >= 0
        ):
            X = rows.features(X, self._n_features, self._dtype)
            shape = X.shape
        n = shape[0]
        targets = self._usual_targets(y, n)
        if targets is None:
            targets = self.loss.targets(y, self.network.n_outputs, self._dtype)
            checks.same_rows(n, len(targets), "y")
        weights = None
        if sample_weight is not None or self.class_weight is not None:
            weights = checks.sample_weight(sample_weight, n)
            weights = class_weights.step_weights(self, datasets.Dataset(X, targets, weights))
        rate = state.constant_rate
        if rate is None:
            steps = state.training.steps
            rate = float(state.rates(steps, steps + 1)[0])
        try:
            return state.training.step(X, targets, weights, rate)
        except Diverged as error:
            raise diverged_error(self, error) from None

    def stop(self) -> None:
        """End the `fit` under way: after the epoch; from `Callback.on_step_end` or another thread, after the step."""
        self.state.is_stopping = True
        if self.state.is_fitting:
            self.state.training.interrupt()

    @explained
    def evaluate(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, float]:
        """Compute loss, accuracy (classifiers) and metrics on data, dropout off, penalties left out.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
        y : array_like
            Targets, as the loss takes them.
        sample_weight : array_like, shape (n,), optional

        Returns
        -------
        dict of str to float
        """
        return evaluate(self, datasets.dataset(self.network, self.loss, X, y, sample_weight))

    def save(self, path: str | os.PathLike[str], keep_previous: bool = False) -> None:
        """Write all that a run needs to be resumed to a safetensors file, which replaces an existing one whole.

        The file holds the network, the optimizer, seeds, history, the place in the epoch and the state of callbacks. It
        does not hold the data or the callbacks themselves: pass both to `fit` again. A callback may call this, at any
        point.

        Parameters
        ----------
        path : path-like
        keep_previous : bool, default False
            Whether an existing file is kept beside the new one, under its name and ``.previous``, for `load` to take if
            the new one is damaged.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError
            If a callback's ``get_state`` gives what a file cannot hold.

        Reproducibility
        ---------------
        A run resumed from the file ends bit for bit like an uninterrupted one: in another process, with another
        instruction set or another number of threads.
        """
        from fastnn.training import checkpoints  # here, as `import fastnn` does without it

        checkpoints.save(self, path, checks.boolean(keep_previous, "keep_previous"))

    @classmethod
    def load(cls, path: str | os.PathLike[str], threads: int | Literal["auto"] | None = None) -> Trainer:
        """Read a trainer that `save` wrote; its run resumes with the bits of an uninterrupted one.

        If the file is missing or damaged and the one before it was kept, that one is read, with a warning.

        Parameters
        ----------
        path : path-like
        threads : int or "auto", optional
            Instead of what was saved.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is truncated, damaged, or not one that `Trainer.save` wrote.
        """
        from fastnn.training import checkpoints

        return checkpoints.load(cls, path, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        from fastnn.training import checkpoints

        return checkpoints.unpack, (Trainer, *checkpoints.pack(self))

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.history.epochs

    @property
    def steps(self) -> int:
        """Updates made."""
        return self.state.training.steps

    @property
    def history(self) -> History:
        """What every completed epoch came to; it grows with the run."""
        return self.state.history

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the history that an epoch of the latest `fit` fills."""
        return self.state.columns

    @property
    def max_epochs(self) -> int | None:
        """As given to the latest `fit`."""
        return self.state.max_epochs

    @property
    def squared_weights(self) -> float:
        """The sum of the squares of the weights that penalties count."""
        return self.state.training.squared_weights

    def set_learning_rate(self, rate: float, scales_momentum: bool = False) -> None:
        """Continue at a constant learning rate; when a callback calls it, from the next epoch on.

        Parameters
        ----------
        rate : float
        scales_momentum : bool, default False
            Whether SGD's momentum keeps the scale of the learning rate at which it was gathered.
        """
        scales = checks.boolean(scales_momentum, "scales_momentum") and self.optimizer.kind == "sgd"
        rate = checks.number(rate, "rate", 0.0, above=scales)
        if scales:
            self.state.scale_momentum(rate)
        optimizer = dataclasses.replace(self.optimizer, learning_rate=rate)  # type: ignore[call-arg]
        object.__setattr__(self, "optimizer", optimizer)
        self.state.follow(self.optimizer.schedule)

    def abandon(self) -> None:
        """Give up an interrupted `fit`, its callbacks and its epoch: the next one may have other data."""
        if self.state.is_fitting:
            raise RuntimeError("abandon cannot be called while this trainer is fitting")
        self.state.end_epoch()
        self.state.callbacks, self.state.untold = (), None

    def _repr_html_(self) -> str:
        from fastnn.training import shown  # here, as `import fastnn` does without it

        return shown.trainer(self)

    def __repr__(self) -> str:
        given = f"{self.network!r}, loss={self.loss!r}, optimizer={self.optimizer!r}, batch_size={self.batch_size!r}"
        return f"Trainer({given}, seed={self.seed}, epoch={self.epoch}, steps={self.steps})"
