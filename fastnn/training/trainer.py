"""The trainer: gradient descent on a network, seeded, resumable, watched and steered by callbacks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._engine.random import MAX_SHUFFLED, first_nonfinite
from fastnn._engine.training import Diverged, Training
from fastnn._input import checks
from fastnn.callbacks import Callback, monitored
from fastnn.errors import DivergedError
from fastnn.history import History
from fastnn.losses import LOSSES, CrossEntropy, Loss
from fastnn.metrics import Metric, is_maximised
from fastnn.network import Network
from fastnn.optimizers import OPTIMIZERS, Optimizer
from fastnn.schedules import Constant, PlateauState, ReduceOnPlateau
from fastnn.training import checkpoints, loop, preparation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn._engine.sparse import SparseMatrix

_INT64 = np.dtype(np.int64)
_UINT64 = np.dtype(np.uint64)
_ndarray, _largest = np.ndarray, np.maximum.reduce  # looked up faster


class Trainer:
    """Trains a network: batch, stochastic or mini-batch gradient descent, by ``batch_size``.

    Parameters
    ----------
    network : Network
        Changed in place.
    loss : str or Loss
        ``"mean_squared"``, ``"mean_absolute"``, ``"huber"``, ``"pinball"``, ``"poisson"``, ``"cross_entropy"``,
        ``"binary_cross_entropy"``, or an object of `fastnn.losses`, which takes parameters.
    optimizer : str or Optimizer, default "adam"
        ``"sgd"``, ``"adam"``, ``"adamw"``, ``"nadam"``, ``"rmsprop"``, ``"adagrad"``, or an object of
        `fastnn.optimizers`.
    batch_size : int or "full", default 32
        Rows of an update; ``"full"``: all of them. A ragged last batch is trained on. The loss of a batch is the mean
        of its rows, weighted by their sample weights.
    seed : int, default 0
        Decides the order of the rows, the dropout masks and the rows that ``validation_fraction`` holds out.
    threads : int or "auto", default "auto"
        At most so many; ``"auto"``: `get_num_threads` at most, and one for little work. Where several may be used, both
        ways are timed while training, and one thread is used for as long as it is faster. The result does not depend on
        it.
    shuffle : bool, default True
        Whether each epoch has an order of its own.
    metrics : sequence of (str or Metric), default ()
        ``"accuracy"``, ``"top_k"``, ``"mae"``, ``"rmse"``, ``"r2"``, or objects of `fastnn.metrics`: computed on
        validation data and by `evaluate`. Classifiers report their accuracy unasked.
    class_weight : dict, array_like or "balanced", optional
        What the sample weights of each class are multiplied by while training: by label (1 for those left out), one for
        each class, or n / (classes · rows of the class). Validation and `evaluate` leave it out.

    Attributes
    ----------
    network, loss, optimizer, batch_size, seed, shuffle, metrics
        As given, strings resolved.
    history : History
        Of all epochs so far.
    epoch, steps : int
        Epochs completed and updates made so far.
    columns : tuple of str
        Those of the history that an epoch of the latest `fit` fills.
    max_epochs : int or None
        As given to the latest `fit`.

    Reproducibility
    ---------------
    The same network, data and arguments give the same parameters and the same history to the last bit, on every
    machine, by any number of threads, and however often the run was interrupted, saved and loaded, in every release
    with the same numerics version. Not covered: ``max_seconds``, which ends a run where the clock says, and what
    callbacks and metrics of your own compute. See docs/numerics.md.

    Examples
    --------
    >>> trainer = fn.Trainer(net, loss="cross_entropy", optimizer=fn.Adam(1e-3), batch_size=64, seed=0)
    >>> history = trainer.fit(X, y, epochs=20, validation_data=(X_val, y_val), callbacks=[fn.EarlyStopping(patience=5)])
    """

    def __init__(
        self,
        network: Network,
        loss: str | Loss,
        optimizer: str | Optimizer = "adam",
        batch_size: int | str = 32,
        seed: int = 0,
        threads: int | str = "auto",
        shuffle: bool = True,
        metrics: Sequence[str | Metric] | str | Metric = (),
        class_weight: Mapping[int, float] | ArrayLike | str | None = None,
    ) -> None:
        checks.instance(network, Network, "network")
        self.network = network
        self.loss: Loss = checks.one_of(loss, Loss, LOSSES, "loss")
        self.loss.check_outputs(network.n_outputs, network._output_activation)
        self.optimizer: Optimizer = checks.one_of(optimizer, Optimizer, OPTIMIZERS, "optimizer")
        if isinstance(batch_size, str):
            self.batch_size: int | str = checks.choice(batch_size, ("full",), "batch_size")
        else:
            self.batch_size = checks.integer(batch_size, "batch_size")
        self.seed = checks.seed(seed)
        self.threads: int | str = checks.threads(threads)
        self.shuffle = checks.boolean(shuffle, "shuffle")
        self.metrics = preparation.metrics(metrics, self.loss, network.n_outputs)
        self.class_weight = preparation.class_weight(class_weight, self.loss, network.n_outputs)
        # One weight a class, once known: "balanced" waits for the first targets.
        self._weight_by_class = self.class_weight if isinstance(self.class_weight, np.ndarray) else None

        schedule = self.optimizer.schedule
        self._schedule = schedule
        self._constant_rate: Any = schedule.learning_rate if isinstance(schedule, Constant) else None
        self._plateau = None if schedule.plateau is None else _new_plateau(schedule.plateau)
        self.history = History()
        self.columns: tuple[str, ...] = ()
        self.max_epochs: int | None = None
        self._epoch_rows = 0  # of the epoch under way, if there is one
        self._stopping = self._fitting = False
        self._watching: tuple[Callback, ...] = ()  # the callbacks of the latest fit
        self._untold: loop.Event | None = None  # an event that some of them have yet to hear of
        self._callback_states: dict[str, Any] = {}  # from a file, until the next fit
        self._dtype = network._np_dtype
        self._n_features = network.n_features
        self._n_labels = network.n_outputs if isinstance(self.loss, CrossEntropy) else 0
        self._n_targets = self.loss._n_targets(network.n_outputs)
        self._n_truths = 2 if self.loss.upper == 1.0 and self._n_targets == 1 else 0  # 0 and 1, as labels
        # The bits of numbers from +0 on are whole numbers in the same order; those of negative ones and NaN are larger.
        self._bits = np.dtype(f"u{self._dtype.itemsize}")
        upper = self.loss.upper
        self._upper_bits = (
            None if upper is None else int(np.array(upper, self._dtype).view(self._bits)) - (upper == np.inf)
        )
        self._training = Training(
            network._model,
            self.loss.specification(),
            self.optimizer.specification(),
            self.seed,
            0 if isinstance(self.threads, str) else self.threads,
        )

    # ------------------------------------------------------------------- training

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
        progress: bool | str = False,
        max_seconds: float | None = None,
    ) -> History:
        """Trains until ``epochs`` more epochs are completed, or ``max_epochs`` in all.

        Goes on from where the trainer stands: ``fit(epochs=5)`` and ``fit(epochs=20)`` give the bits of
        ``fit(epochs=25)``. An epoch left unfinished, by Ctrl-C, ``max_seconds``, a callback or a save in its middle, is
        finished first and counts; the data have to be the same ones.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Real numbers; in the network's dtype they are used where they lie, whatever the strides, memory maps too.
            Sparse matrices and arrays as those of SciPy are used as they are in CSR, with the result that dense rows
            of the same values have, and converted to it from other formats.
        y : array_like
            Targets, as the loss takes them.
        epochs : int, optional
            So many more; 1 unless ``max_epochs`` is given. 0 trains nothing: it only lets callbacks finish a run that
            was interrupted at its very end.
        max_epochs : int, optional
            So many in all, those of earlier calls included, instead: the same call begins a run, goes on with one that
            was broken off, and leaves one that is at its end, by `EarlyStopping` too, as it is.
        sample_weight : array_like, shape (n,), optional
            At least 0, not all 0.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Evaluated after each epoch, in the columns ``"val_…"`` of the history.
        validation_fraction : float, optional
            Holds out this share of the rows, chosen by the seed, instead. Both parts are copies.
        callbacks : sequence of Callback, optional
        progress : bool or "auto", default False
            Whether to show a bar; ``"auto"``: in terminals and notebooks, if tqdm is installed.
        max_seconds : float, optional
            Stop after this time, in the middle of an epoch if need be; the next ``fit`` goes on from there.

        Returns
        -------
        History
            Of all epochs so far: ``trainer.history``.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has changed then.
        DivergedError
            If the loss or a parameter becomes NaN or infinite; the network holds the last finite parameters.
        KeyboardInterrupt
            On Ctrl-C, within a fraction of a second, at a point from which ``fit`` can go on.

        Reproducibility
        ---------------
        The bits depend on the values and the dtype of the data and on their order, not on how they lie in memory, nor
        on where a run was broken off and taken up. float64 data are rounded to a float32 network's dtype once.
        """
        if self._fitting:
            raise RuntimeError("fit cannot be called while this trainer is already fitting")
        network = self.network
        if max_epochs is not None:
            max_epochs = checks.integer(max_epochs, "max_epochs", 0)
            if epochs is not None:
                raise ValueError(f"epochs and max_epochs exclude each other; got {epochs!r} and {max_epochs}")
            last = max_epochs
        else:
            last = self.epoch + (1 if epochs is None else checks.integer(epochs, "epochs", 0))
        watching = loop.checked_callbacks(callbacks)
        if not isinstance(progress, bool):
            checks.choice(progress, ("auto",), "progress")
        if max_seconds is not None:
            max_seconds = checks.number(max_seconds, "max_seconds", 0.0, above=True)
        if validation_data is not None and validation_fraction is not None:
            raise ValueError("validation_data and validation_fraction exclude each other; got both")
        data, validation = self._dataset(X, y, sample_weight), None
        if validation_data is not None:
            X_val, y_val, weight_val = preparation.validation(validation_data)
            validation = self._dataset(X_val, y_val, weight_val, "validation ")
        elif validation_fraction is not None:
            data, validation = preparation.held_out(data, validation_fraction, self.seed)
        batch_size = self._batch_of(len(data))
        columns = self._columns_with(validation is not None)
        plateau = self._schedule.plateau
        if plateau is not None:
            monitored(plateau.monitor, columns)
        weight_by_class = self._weight_by_class
        if isinstance(self.class_weight, str):
            weight_by_class = preparation.balanced(data.y, max(2, network.n_outputs))
        data = preparation.folded(data, weight_by_class)
        self._weight_by_class = weight_by_class
        self.columns = columns
        self._give_states(watching)

        try:  # from here on: Ctrl-C may come between any two lines
            self._fitting, self._stopping = True, False
            self._watching, self.max_epochs = watching, max_epochs
            loop.Loop(self, data, validation, batch_size, watching, max_seconds).run(last, progress)
        finally:
            self._fitting = False
        return self.history

    def step(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """One update on one batch, the same bits as inside `fit`.

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
        if self._fitting:
            raise RuntimeError("step cannot be called while this trainer is fitting")
        if (
            type(X) is not _ndarray
            or X.dtype is not self._dtype
            or len(shape := X.shape) != 2
            or shape[1] != self._n_features
            or not shape[0]
            or first_nonfinite(X) >= 0
        ):
            X = checks.features(X, self._n_features, self._dtype)
            shape = X.shape
        n = shape[0]
        targets = self._usual_targets(y, n)
        if targets is None:
            targets = self.loss.targets(y, self.network.n_outputs, self._dtype)
            checks.same_rows(n, len(targets), "y")
        weights = None
        if sample_weight is not None or self.class_weight is not None:
            weights = self._step_weights(X, targets, sample_weight)
        rate = self._constant_rate
        if rate is None:
            steps = self._training.steps
            rate = float(self._rates(steps, steps + 1)[0])
        try:
            return self._training.step(X, targets, weights, rate)
        except Diverged as error:
            raise self._diverged(error) from None

    def _usual_targets(self, y: Any, n: int) -> np.ndarray | None:
        """What the loss makes of ``y``, in a fraction of its time; None where that needs a closer look."""
        if type(y) is not _ndarray:
            return None
        if y.dtype is _INT64:
            # Negative labels are huge as unsigned ones.
            if y.shape == (n,) and _largest(y.view(_UINT64)) < (self._n_labels or self._n_truths):
                return y if self._n_labels else y.astype(self._dtype)[:, None]
            return None
        if y.shape == (n,):
            y = y[:, None]
        if y.dtype is not self._dtype or y.shape != (n, self._n_targets):
            return None
        if self._upper_bits is None:
            is_fine = first_nonfinite(y) < 0
        else:
            is_fine = _largest(y.view(self._bits), None) <= self._upper_bits
        return y if is_fine else None

    def _step_weights(
        self, X: np.ndarray | SparseMatrix, y: np.ndarray, sample_weight: ArrayLike | None
    ) -> np.ndarray | None:
        if self.class_weight is not None and self._weight_by_class is None:
            raise ValueError(
                "class_weight='balanced' is known from the data of a fit; before one, pass the weights themselves"
            )
        data = preparation.Dataset(X, y, checks.sample_weight(sample_weight, len(X)))
        return preparation.folded(data, self._weight_by_class).weights

    def stop(self) -> None:
        """Ends the `fit` under way: after the epoch; from `Callback.on_step_end` or another thread, after the step."""
        self._stopping = True
        if self._fitting:
            self._training.interrupt()

    def evaluate(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, float]:
        """Loss, accuracy (classifiers) and metrics on data, dropout off, penalties left out.

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
        return loop.evaluate(self, self._dataset(X, y, sample_weight))

    # -------------------------------------------------------------------- saving

    def save(self, path: str | os.PathLike[str], keep_previous: bool = False) -> None:
        """Writes all that a run needs to go on to a safetensors file; an existing one is replaced in one go.

        Network, optimizer, seeds, history, the place in the epoch and the state of callbacks; not the data, and not the
        callbacks themselves: both have to be passed to `fit` again. It may be called by a callback, at any point.

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
        The run that goes on from the file, in another process, by another instruction set or number of threads, ends
        with the bits of the unbroken run.
        """
        checkpoints.save(self, path, checks.boolean(keep_previous, "keep_previous"))

    @classmethod
    def load(cls, path: str | os.PathLike[str], threads: int | str | None = None) -> Trainer:
        """Reads a trainer that `save` wrote: it goes on with the bits that an unbroken run would have.

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
        return checkpoints.load(path, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        return checkpoints.unpack, checkpoints.pack(self)

    # ------------------------------------------------------------------- standing

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.history.epochs

    @property
    def steps(self) -> int:
        """Updates made."""
        return self._training.steps

    def _dataset(self, X: ArrayLike, y: ArrayLike, weights: ArrayLike | None, prefix: str = "") -> preparation.Dataset:
        with standard_environment():
            return preparation.dataset(
                X, y, weights, self.loss, self._n_features, self.network.n_outputs, self._dtype, prefix
            )

    def _batch_of(self, n: int) -> int:
        """Rows in a batch, if ``n`` rows can be trained on now."""
        if self._training.position and n != self._epoch_rows:
            raise ValueError(f"X must be the {self._epoch_rows} rows of the epoch that is under way; got {n} rows")
        if self.shuffle and n > MAX_SHUFFLED:
            raise ValueError(
                f"X must have at most {MAX_SHUFFLED:,} rows to be shuffled; got {n:,} (shuffle=False takes more)"
            )
        if isinstance(self.batch_size, str):
            return n
        if self.batch_size > n:
            raise ValueError(
                f"batch_size must be at most the number of rows to train on, {n}, or 'full'; got {self.batch_size}"
            )
        return self.batch_size

    def _columns_with(self, validates: bool) -> tuple[str, ...]:
        """The columns of the history that an epoch fills."""
        names = ["loss", "accuracy"] if self.loss.classifies else ["loss"]
        found = [*names, *(metric.name for metric in self.metrics)]
        return (*names, "learning_rate", *(f"val_{name}" for name in found if validates))

    def _rates(self, start: int, stop: int) -> np.ndarray:
        """The learning rates of the updates [start, stop) of the epoch under way."""
        if self._constant_rate is not None:
            return np.full(stop - start, self._constant_rate)
        reduced = 0.0 if self._plateau is None else self._plateau.learning_rate
        return self._schedule.of_steps(start, stop, self.epoch, reduced)

    def _set_learning_rate(self, rate: float, scales_momentum: bool = False) -> None:
        """Goes on at a constant rate, from the next epoch.

        ``scales_momentum``: what SGD has gathered goes on at the rate at which it was gathered.
        """
        if scales_momentum and self.optimizer.kind == "sgd":
            state = self._training.get_state()
            with standard_environment():
                before = float(self._rates(self.steps, self.steps + 1)[0])
                for name in state:
                    if name.endswith(".state0"):
                        state[name] *= before / rate
            self._training.set_state(state)
        self.optimizer = dataclasses.replace(self.optimizer, learning_rate=rate)  # type: ignore[call-arg]
        self._schedule = self.optimizer.schedule
        self._constant_rate = self.optimizer.learning_rate

    def _abandon_epoch(self) -> None:
        """Forgets that an epoch was under way: the next `fit` begins one, with other data if it likes."""
        self._training.end_epoch()
        self._epoch_rows = 0

    def _record(self, values: Mapping[str, float]) -> None:
        """Adds a completed epoch."""
        self.history.append(values)
        if self._plateau is not None:
            with standard_environment():
                self._plateau.update(values[monitored(self._plateau.schedule.monitor, values)])

    def _diverged(self, error: Diverged) -> DivergedError:
        what, layer = error.what, None
        if error.operation >= 0:
            layer = self.network._positions[error.operation]
            part = "outputs" if what == "the loss" else "update of the parameters"
            what = f"the {part} of layer {layer}, {self.network.layers[layer]!r},"
        return DivergedError(self.epoch + 1, error.step, float(self._rates(error.step - 1, error.step)[0]), what, layer)

    def _give_states(self, callbacks: Iterable[Callback]) -> None:
        """Hands what a file held about callbacks to the first ones of the same class."""
        for key, callback in checkpoints.keyed(callbacks):
            if key in self._callback_states:
                callback.set_state(*self._callback_states[key])

    def _tell_untold(self, callbacks: Iterable[Callback]) -> None:
        """Tells callbacks, which have all begun, what they have yet to hear; a file has no say any more."""
        self._callback_states = {}
        if self._untold is not None:
            self._untold.meet(dict(checkpoints.keyed(callbacks)))
            self._untold.tell(self)

    def __repr__(self) -> str:
        return (
            f"Trainer({self.network!r}, loss={self.loss!r}, optimizer={self.optimizer!r}, "
            f"batch_size={self.batch_size!r}, seed={self.seed}, epoch={self.epoch}, steps={self.steps})"
        )


def _new_plateau(schedule: ReduceOnPlateau) -> PlateauState:
    maximise = schedule.mode == "max" or (schedule.mode == "auto" and is_maximised(schedule.monitor or "loss"))
    return PlateauState(schedule, maximise)
