"""The network: layers and their parameters."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import initializers
from fastnn._engine.environment import standard_environment
from fastnn._engine.model import Model
from fastnn._engine.random import first_nonfinite
from fastnn._input import checks, memory_maps, sparse
from fastnn._lowering import lowering, random_streams
from fastnn._runtime import instruction_sets
from fastnn._storage import descriptions, files
from fastnn.layers import LAYERS, Activation, Dense, Input, Layer, LayerNorm, activation_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike

    from fastnn._engine.sparse import SparseMatrix

_empty, _ndarray = np.empty, np.ndarray  # looked up faster


class Network:
    """A feed-forward network: a sequence of layers, and the parameters that training changes.

    Parameters
    ----------
    layers : sequence of Layer
        An `Input`, then at least one `Dense` among the other layers.
    seed : int, default 0
        Decides the initial parameters.
    dtype : {"float32", "float64"}
        Of parameters and computations.

    Attributes
    ----------
    layers : tuple of Layer
    seed : int
    dtype : str
    parameters : Parameters
        Names and arrays; see there.
    n_features, n_outputs, n_parameters : int
    metadata : dict
        Yours: what JSON can hold, saved and loaded with the network. It plays no part in what the network computes.

    Reproducibility
    ---------------
    The same layers, seed and dtype give the same initial parameters to the last bit, on every machine and in every
    release with the same numerics version. The values of a tensor depend on the seed, on its place among the tensors,
    its shape and its initializer, and on nothing else.

    Examples
    --------
    >>> net = fn.Network([fn.Input(64), fn.Dense(128, "relu"), fn.Dropout(0.1), fn.Dense(10)], seed=0)
    >>> net.parameters["0.weight"].shape
    (128, 64)
    """

    def __init__(self, layers: Sequence[Layer], seed: int = 0, dtype: str = "float32") -> None:
        self._build(layers, seed, dtype)
        with standard_environment():
            self._initialise()

    def _initialise(self) -> None:
        for number, (name, (operation, kind)) in enumerate(self._names.items()):
            position = self._positions[operation]
            layer = self.layers[position]
            shape = self._shapes[name]
            if isinstance(layer, Dense):
                following = lowering.following_activation(self.layers, position)
                given = layer.weight_initializer if kind == "weight" else layer.bias_initializer
                initializer = initializers.resolved(given, following)
            else:
                initializer = initializers.Constant(1.0) if kind == "weight" else initializers.Zeros()
            values = initializer.values(shape, self.seed, random_streams.INITIALIZER + number)
            self._model.write(operation, kind, values.astype(self._np_dtype))

    def _build(
        self, layers: Sequence[Layer], seed: int, dtype: str, parameters: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Everything but the values of the parameters; those that are to come are looked at before memory is taken."""
        self.layers = lowering.checked(layers)
        self.metadata: dict[str, Any] = {}
        self.seed = checks.seed(seed)
        self.dtype = checks.dtype_name(dtype)
        self._np_dtype = np.dtype(self.dtype)
        lowered = lowering.Lowered(self.layers)
        self._names, self._positions, self._shapes = lowered.names, lowered.positions, lowered.shapes
        if parameters is not None:
            self._check_shapes(parameters)
        lowering.check_size(lowered, self._np_dtype.itemsize)
        self._model = Model(
            lowered.n_inputs, lowered.operations, self.dtype, instruction_sets.tables(self.dtype)
        )
        self.n_features: int = self._model.n_inputs
        self.n_outputs: int = self._model.n_outputs
        # Rows that are evaluated at a time: some tens of milliseconds of work, a function of the layers alone.
        row_work = self.n_parameters + 16 * (self.n_features + self.n_outputs)
        self._rows_per_block = max(128, 2**29 // row_work // 128 * 128)
        last = self.layers[-1]
        has_activation = isinstance(last, (Dense, Activation))
        self._output_activation = activation_of(last).name if has_activation else "identity"  # type: ignore[arg-type]

    @classmethod
    def _restored(cls, layers: Sequence[Layer], seed: int, dtype: str, parameters: Mapping[str, np.ndarray]) -> Network:
        """A network with given parameters."""
        network = cls.__new__(cls)
        network._build(layers, seed, dtype, parameters)
        network.parameters.update(parameters)
        return network

    def _check_shapes(self, parameters: Mapping[str, np.ndarray]) -> None:
        missing = self._names.keys() - parameters.keys()
        if missing:
            raise ValueError(
                f"parameters must hold every tensor of the network; missing: {checks.listing(sorted(missing))}"
            )
        for name, shape in self._shapes.items():
            if parameters[name].shape != shape:
                raise ValueError(f"parameter {name!r} must have shape {shape}; got shape {parameters[name].shape}")

    @property
    def parameters(self) -> Parameters:
        """The parameters by name; assigning to an entry sets it."""
        return Parameters(self)

    @property
    def _names_by_layer(self) -> dict[int, dict[str, str]]:
        """The names of the weight and the bias of each layer that has them, by its place in ``layers``."""
        found: dict[int, dict[str, str]] = {}
        for name, (operation, kind) in self._names.items():
            found.setdefault(self._positions[operation], {})[kind] = name
        return found

    @property
    def n_parameters(self) -> int:
        """How many numbers the parameters hold."""
        return lowering.total_size(self._shapes.values())

    def predict(self, X: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
        """The outputs of the last layer.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features) or (n_features,)
            Rows, or one row. Computed in the network's dtype; other real dtypes are converted. Sparse matrices and
            arrays as those of SciPy are used as they are in CSR and converted to it from other formats.
        out : ndarray, shape (n, n_outputs) or (n_outputs,), optional
            Where to put the outputs, of the network's dtype; nothing is allocated then.

        Returns
        -------
        ndarray, shape (n, n_outputs) or (n_outputs,)
            ``out`` if given. Raw outputs, logits for a classifier, unless the network ends in an activation.

        Raises
        ------
        TypeError, ValueError
            If ``X`` is not real, has another number of features, no rows, or a NaN or an infinity; or ``out`` does not
            fit.

        Reproducibility
        ---------------
        The outputs of a row are the same to the last bit whatever rows are predicted with it, on every machine.
        """
        # The order and form of these checks is for the speed of one row: they cost more than its outputs.
        dtype = self._np_dtype
        if (
            type(X) is not _ndarray
            or X.dtype is not dtype
            or len(shape := X.shape) != 2
            or shape[1] != self.n_features
            or not 0 < shape[0] <= self._rows_per_block
            or first_nonfinite(X) >= 0
        ):
            given = X
            if not sparse.is_sparse(X):
                X = checks.numeric(X, "X")
                if X.shape == (self.n_features,):
                    return self._predict_one(X, out)
            X = checks.features(X, self.n_features, dtype, given=given)
            shape = X.shape
        expected = (shape[0], self.n_outputs)
        if out is None:
            out = _empty(expected, dtype)
        elif type(out) is not _ndarray or out.dtype is not dtype or out.shape != expected:
            self._check_out(out, expected)
        try:
            if shape[0] > self._rows_per_block:
                self._predict_blocks(X, out)
            elif type(X) is _ndarray:
                self._model.forward(X, out)
            else:
                self._model.forward_sparse(X, out)
        except ValueError:
            raise ValueError("out must be writeable; got a read-only array") from None
        return out

    def _predict_one(self, x: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        if out is None:
            return self.predict(x[None, :])[0]
        self._check_out(out, (self.n_outputs,))
        self.predict(x[None, :], out[None, :])
        return out

    def _predict_blocks(self, X: np.ndarray | SparseMatrix, out: np.ndarray) -> None:
        """Block by block, so that Ctrl-C is heard, and pages of a memory-mapped file are given back."""
        forward, file = self._model.forward_sparse, None
        if isinstance(X, np.ndarray):
            forward, file = self._model.forward, memory_maps.mapped_file(X)
        for start in range(0, len(out), self._rows_per_block):
            rows = slice(start, start + self._rows_per_block)
            forward(X[rows], out[rows])
            memory_maps.give_back(file)

    def _check_out(self, out: Any, shape: tuple[int, ...]) -> None:
        expected = f"out must be an ndarray of shape {shape} and dtype {self.dtype}"
        if type(out) is not np.ndarray:
            raise TypeError(f"{expected}; got {checks.described(out)}")
        if out.shape != shape or out.dtype != self._np_dtype:
            raise ValueError(f"{expected}; got shape {out.shape} and dtype {out.dtype}")

    def digest(self) -> str:
        """SHA-256 of the parameters, in hexadecimal.

        Reproducibility
        ---------------
        Of the parameters' names, shapes, dtype and little-endian values, and the version of the numerics contract
        (docs/numerics.md): equal parameters have equal digests on every machine. Zeros of different sign are different.
        """
        return files.digest(self.parameters)

    def astype(self, dtype: str) -> Network:
        """A copy with parameters rounded, or widened, to ``dtype``."""
        target = np.dtype(checks.dtype_name(dtype))
        return Network._restored(
            self.layers,
            self.seed,
            target.name,
            {name: checks.converted(array, target) for name, array in self.parameters.items()},
        )

    def summary(self) -> str:
        """The network as a table in plain text: each layer, the shape of its output, how many parameters it has."""
        header = ("layer", "output shape", "parameters")
        total = ("total", "", f"{self.n_parameters:,}")
        body = [(name, f"(n, {units})", f"{size:,}" if size else "") for name, units, size in self._rows()]
        table = [header, *body, total]
        widths = [max(len(row[column]) for row in table) for column in range(3)]
        lines = ["  ".join((a.ljust(widths[0]), b.ljust(widths[1]), c.rjust(widths[2]))).rstrip() for a, b, c in table]
        rule = "-" * (sum(widths) + 4)
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def _rows(self) -> Iterator[tuple[str, int, int]]:
        """For each layer: what it is, its units and how many parameters it has."""
        units = 0
        for layer in self.layers:
            size = 0
            if isinstance(layer, Input):
                units = layer.features
            elif isinstance(layer, Dense):
                units, size = layer.units, (units + 1) * layer.units
            elif isinstance(layer, LayerNorm):
                size = 2 * units
            yield repr(layer), units, size

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the network to a safetensors file; an existing one is replaced in one go."""
        parameters = dict(self.parameters)
        description = {**self._description(), "digest": files.digest(parameters), "metadata": self.metadata}
        files.write(path, parameters, {"kind": "network", **description})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Reads a network that `save`, or `Trainer.save`, wrote.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is truncated, damaged or not a fastnn model.
        """
        metadata, tensors = files.read(path, ("network", "trainer"))
        return cls._from_file(metadata, tensors, os.fspath(path))

    def to_torch(self) -> torch.nn.Sequential:
        """A ``torch.nn.Sequential`` that computes the same, with a copy of the parameters; needs PyTorch.

        Its parameters have the names and shapes of these, so that ``load_state_dict`` takes what
        ``safetensors.torch.load_file`` reads from a file that `save` wrote. It is in evaluation mode: dropout is off
        until its ``train()`` is called.

        Raises
        ------
        ImportError
            If PyTorch is missing; the message says how to install it.
        """
        from fastnn.torch import to_torch

        return to_torch(self)

    @classmethod
    def from_torch(cls, module: torch.nn.Module) -> Network:
        """A network that computes what a PyTorch module in evaluation mode does, with a copy of the parameters.

        Parameters
        ----------
        module : torch.nn.Module
            A ``Sequential``, which may hold others, of ``Linear``, ``LayerNorm``, ``Dropout`` and the activations that
            `Activation` lists, in float32 or float64; or one of these alone. ``Identity``, and ``Flatten`` of rows,
            are left out. A bias that is missing is zero here, and a gain one, which training changes.

        Raises
        ------
        ImportError
            If PyTorch is missing; the message says how to install it.
        TypeError
            If ``module`` is not a PyTorch module.
        ValueError
            If fastnn has no layer that computes what a module in it does; the message names the module.
        """
        from fastnn.torch import from_torch

        return from_torch(module)

    def _description(self) -> dict[str, Any]:
        return {"layers": descriptions.to_data(self.layers), "dtype": self.dtype, "seed": self.seed}

    @classmethod
    def _from_file(cls, metadata: Mapping[str, Any], tensors: Mapping[str, np.ndarray], name: str) -> Network:
        classes = (*LAYERS, *initializers.CLASSES)
        parameters = {key: array for key, array in tensors.items() if "/" not in key}
        try:
            described = descriptions.from_data(metadata["layers"], classes, "a layer")
            network = cls._restored(described, metadata["seed"], metadata["dtype"], parameters)
            network.metadata = dict(checks.mapping(metadata.get("metadata", {}), "its metadata"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name!r} is damaged or not a fastnn model: {error}") from error
        if metadata.get("digest") != network.digest():
            raise ValueError(f"{name!r} is damaged: its parameters do not have the digest it states")
        return network

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.layers, self.seed, self.dtype, dict(self.parameters))
        return Network._restored, arguments, {"metadata": self.metadata}

    def __eq__(self, other: object) -> bool:
        """Whether the layers, the dtype and every bit of the parameters are the same."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.layers == other.layers and self.dtype == other.dtype and self.digest() == other.digest()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Network([{', '.join(map(repr, self.layers))}], seed={self.seed}, dtype={self.dtype!r})"


class Parameters(MutableMapping[str, np.ndarray]):
    """The parameters of a network: names and shapes as in the equivalent ``torch.nn.Sequential``.

    Every `Dense`, every activation other than the identity, every `Dropout` and `LayerNorm` counts as a module; `Input`
    does not. Weights have the shape (outputs, inputs). Reading an entry gives a copy; assigning to one sets it.
    """

    def __init__(self, network: Network) -> None:
        checks.instance(network, Network, "network")
        self._network = network

    def __getitem__(self, name: str) -> np.ndarray:
        return self._network._model.read(*self._tensor(name))

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        self.update({name: value})

    def update(self, other: Any = (), /, **more: Any) -> None:
        """Sets several entries, all or, if one does not fit, none."""
        try:
            given = dict(other, **more)
        except (TypeError, ValueError):
            raise TypeError(
                f"other must be a mapping of names to arrays, or pairs of these; got {checks.described(other)}"
            ) from None
        checked = [(self._tensor(name), self._checked(name, value)) for name, value in given.items()]
        for tensor, array in checked:
            self._network._model.write(*tensor, array)

    def _tensor(self, name: str) -> lowering.Tensor:
        names = self._network._names
        if name not in names:
            is_like = isinstance(name, str) and len(names) <= checks.LISTED
            hint = checks.nearest(name, names) if is_like else ""
            raise KeyError(f"the parameters are {checks.listing(names)}; got {name!r}{hint}")
        return names[name]

    def _checked(self, name: str, value: ArrayLike) -> np.ndarray:
        argument = f"the value of parameter {name!r}"
        given = checks.numeric(value, argument)
        shape = self._network._shapes[name]
        if given.shape != shape:
            raise ValueError(f"{argument} must have shape {shape}; got shape {given.shape}")
        array = checks.converted(given, self._network._np_dtype)
        checks.finite(array, argument, given)
        return array

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters can be set but not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._network._names)

    def __len__(self) -> int:
        return len(self._network._names)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{name}: {shape}' for name, shape in self._network._shapes.items())})"
