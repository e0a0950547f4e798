"""The network: layers and their parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn import initializers
from fastnn._engine.environment import standard_environment
from fastnn._engine.model import Model
from fastnn._engine.random import first_nonfinite
from fastnn._input import checks, memory_maps, rows, sparse
from fastnn._input.calls import Guarded, explained, hinting
from fastnn._input.elsewhere import INSTEAD
from fastnn._lowering import random_streams
from fastnn._lowering.plan import Plan
from fastnn._runtime import instruction_sets
from fastnn._storage import descriptions, files
from fastnn.layers import LAYERS, Layer
from fastnn.parameters import Parameters as Parameters

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike

    from fastnn._engine.sparse import SparseMatrix
    from fastnn._input.names import DtypeName

_empty, _ndarray, _may_share_memory = np.empty, np.ndarray, np.may_share_memory  # looked up faster


@hinting
class Network(Guarded):
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
        Your own notes, of what JSON can hold. Saved and loaded with the network, which computes the same without it.
    plan : Plan
        The layers as the engine sees them, for tools: operations, names and shapes of parameters, sizes of layers.
    model : Model
        The engine's, which holds the parameters.

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

    _FIXED = frozenset(("layers", "seed", "dtype", "n_features", "n_outputs", "plan", "model"))
    _INSTEAD = INSTEAD["Network"]

    @explained
    def __init__(self, layers: Sequence[Layer], seed: int = 0, dtype: DtypeName = "float32") -> None:
        self._build(layers, seed, dtype)
        with standard_environment():
            self._initialise()

    def _initialise(self) -> None:
        for number, (name, tensor) in enumerate(self.plan.tensors.items()):
            initializer, shape = self.plan.initializers[name], self.plan.shapes[name]
            values = initializer.values(shape, self.seed, random_streams.INITIALIZER + number)
            self.model.write(*tensor, values.astype(self._np_dtype))

    def _build(
        self, layers: Sequence[Layer], seed: int, dtype: str, parameters: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Set everything but the values of the parameters; those to come are looked at before memory is taken."""
        self.plan = Plan(layers, dtype)
        self.layers = self.plan.layers
        self.metadata: dict[str, Any] = {}
        self.seed = checks.seed(seed)
        self.dtype: DtypeName = self.plan.dtype.name  # type: ignore[assignment]
        if parameters is not None:
            self.plan.check_shapes(parameters)
        self.plan.check_size()
        self.n_features, self.n_outputs = self.plan.n_features, self.plan.n_outputs
        tables = instruction_sets.tables(self.dtype)
        self.model = Model(self.n_features, self.plan.operations, self.dtype, tables)
        # What `predict` looks at for every row, within reach.
        self._np_dtype, self._block_rows = self.plan.dtype, self.plan.block_rows

    @classmethod
    def _restored(cls, layers: Sequence[Layer], seed: int, dtype: str, parameters: Mapping[str, np.ndarray]) -> Network:
        """Return a network with given parameters."""
        network = cls.__new__(cls)
        Network._build(network, layers, seed, dtype, parameters)
        network.parameters.update(parameters)
        return network

    @property
    def parameters(self) -> Parameters:
        """The parameters by name; assigning to an entry sets it."""
        return Parameters(self)

    @property
    def n_parameters(self) -> int:
        """How many numbers the parameters hold."""
        return self.plan.n_parameters

    def predict(self, X: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
        """Compute the outputs of the last layer.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features) or (n_features,)
            Rows, or one row. Computed in the network's dtype; other real dtypes are converted. Sparse matrices and
            arrays as those of SciPy are used as they are in CSR and converted to it from other formats.
        out : ndarray, shape (n, n_outputs) or (n_outputs,), optional
            Array of the network's dtype for the outputs; then none is allocated. It may share memory with ``X``: then a
            copy of ``X`` is read.

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
            or not 0 < shape[0] <= self._block_rows
            or first_nonfinite(X) >= 0
        ):
            given = X
            if not sparse.is_sparse(X):
                X = checks.numeric(X, "X")
                if X.shape == (self.n_features,):
                    return self._predict_one(X, out)
            X = rows.features(X, self.n_features, dtype, given=given)
            shape = X.shape
        expected = (shape[0], self.n_outputs)
        if out is None:
            out = _empty(expected, dtype)
        else:
            if type(out) is not _ndarray or out.dtype is not dtype or out.shape != expected:
                self._check_out(out, expected)
            if shape[0] > 1 and type(X) is _ndarray and _may_share_memory(X, out):
                X = X.copy()  # rows are written while others are still to be read
        try:
            if shape[0] > self._block_rows:
                self._predict_blocks(X, out)
            elif type(X) is _ndarray:
                self.model.forward(X, out)
            else:
                self.model.forward_sparse(X, out)
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
        """Predict block by block, so that Ctrl-C is heard, and pages of a memory-mapped file are given back."""
        forward, file = self.model.forward_sparse, None
        if isinstance(X, np.ndarray):
            forward, file = self.model.forward, memory_maps.mapped_file(X)
        for start in range(0, len(out), self._block_rows):
            block = slice(start, start + self._block_rows)
            forward(X[block], out[block])
            memory_maps.give_back(file)

    def _check_out(self, out: Any, shape: tuple[int, ...]) -> None:
        expected = f"out must be an ndarray of shape {shape} and dtype {self.dtype}"
        if type(out) is not np.ndarray:
            raise TypeError(f"{expected}; got {checks.described(out)}")
        if out.shape != shape or out.dtype != self._np_dtype:
            raise ValueError(f"{expected}; got shape {out.shape} and dtype {out.dtype}")

    def digest(self) -> str:
        """Return the SHA-256 of the parameters, in hexadecimal.

        Reproducibility
        ---------------
        Of the parameters' names, shapes, dtype and little-endian values, and the version of the numerics contract
        (docs/numerics.md): equal parameters have equal digests on every machine. Zeros of different sign are different.
        """
        return files.digest(self.parameters)

    def astype(self, dtype: DtypeName) -> Network:
        """Return a copy with parameters rounded, or widened, to ``dtype``."""
        target = np.dtype(checks.dtype_name(dtype))
        return Network._restored(
            self.layers,
            self.seed,
            target.name,
            {name: checks.converted(array, target) for name, array in self.parameters.items()},
        )

    def summary(self) -> str:
        """Return a table in plain text: each layer, the shape of its output, how many parameters it has."""
        header = ("layer", "output shape", "parameters")
        total = ("total", "", f"{self.n_parameters:,}")
        body = [
            (repr(row.layer), f"(n, {row.units})", f"{row.n_parameters:,}" if row.n_parameters else "")
            for row in self.plan.rows
        ]
        table = [header, *body, total]
        widths = [max(len(row[column]) for row in table) for column in range(3)]
        lines = ["  ".join((a.ljust(widths[0]), b.ljust(widths[1]), c.rjust(widths[2]))).rstrip() for a, b, c in table]
        rule = "-" * (sum(widths) + 4)
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a safetensors file; an existing one is replaced in one go."""
        files.write(path, self.parameters, {"kind": "network", **self.describe(), "metadata": self.metadata})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that `save`, or `Trainer.save`, wrote.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is truncated, damaged or not a fastnn model.
        """
        metadata, tensors = files.read(path, ("network", "trainer"))
        return cls.from_description(metadata, tensors, os.fspath(path))

    def to_torch(self) -> torch.nn.Sequential:
        """Make a ``torch.nn.Sequential`` that computes the same, with a copy of the parameters; needs PyTorch.

        Its parameters have the names and shapes of these, so that ``load_state_dict`` takes what
        ``safetensors.torch.load_file`` reads from a file that `save` wrote. It is in evaluation mode: dropout is off
        until its ``train()`` is called.

        Raises
        ------
        ImportError
            If PyTorch is missing; the message says how to install it.
        """
        from fastnn.torch import module_of

        return module_of(self.layers, self.parameters, self.dtype)

    @classmethod
    def from_torch(cls, module: torch.nn.Module) -> Network:
        """Make a network that computes what a PyTorch module in evaluation mode does, with a copy of the parameters.

        Parameters
        ----------
        module : torch.nn.Module
            One that computes layers in sequence, in float32 or float64: a ``Sequential``, or a class whose forward
            pass takes each value once. Layers are ``Linear``, ``LayerNorm``, ``RMSNorm``, ``Dropout`` and the
            activations that `Activation` lists, as modules or functions. Numbers that multiply or are added to units,
            and ``BatchNorm1d`` in evaluation mode, are folded into the layers beside them. ``Identity``, and
            ``Flatten`` of rows, are left out. A bias that is missing is zero here, and a gain one, which training
            changes. What ``torch.compile`` or ``DataParallel`` has wrapped is read as what it was.

        Raises
        ------
        ImportError
            If PyTorch is missing; the message says how to install it.
        TypeError
            If ``module`` is not a PyTorch module.
        ValueError
            If fastnn has no layer that computes what a module in it does; the message names the module.
        """
        from fastnn.torch import layers_of

        layers, tensors, dtype = layers_of(module)
        network = cls(layers, dtype=dtype)
        network.parameters.update(dict(zip(network.parameters, tensors, strict=True)))
        return network

    def describe(self) -> dict[str, Any]:
        """Describe the network as JSON can hold it: its layers, dtype, seed and the digest of its parameters."""
        return {
            "layers": descriptions.to_data(self.layers),
            "dtype": self.dtype,
            "seed": self.seed,
            "digest": self.digest(),
        }

    @classmethod
    def from_description(
        cls, description: Mapping[str, Any], parameters: Mapping[str, np.ndarray], name: str = "the description"
    ) -> Network:
        """Make the network that `describe` described, and whose parameters these are; nothing is executed.

        Parameters
        ----------
        description : mapping of str
            What `describe` gave; an entry ``"metadata"``, a mapping, becomes the network's.
        parameters : mapping of str to ndarray
            Arrays whose names hold a ``/`` are not the network's, and left out.
        name : str
            Where it comes from, for errors.

        Raises
        ------
        ValueError
            If the description is damaged, or the parameters do not have the digest that it states.
        """
        classes = (*LAYERS, *initializers.CLASSES)
        own = {key: array for key, array in parameters.items() if "/" not in key}
        try:
            layers = descriptions.from_data(description["layers"], classes, "a layer")
            network = cls._restored(layers, description["seed"], description["dtype"], own)
            network.metadata = dict(checks.mapping(description.get("metadata", {}), "its metadata"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name!r} is damaged or not a fastnn model: {error}") from error
        if description.get("digest") != network.digest():
            raise ValueError(f"{name!r} is damaged: its parameters do not have the digest it states")
        return network

    if not TYPE_CHECKING:  # type checkers find such mistakes by themselves

        def __call__(self, *_args: Any, **_keywords: Any) -> NoReturn:
            raise TypeError("a Network is not called: net.predict(X) computes its outputs")

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.layers, self.seed, self.dtype, dict(self.parameters))
        return Network._restored, arguments, {"metadata": self.metadata}

    def __eq__(self, other: object) -> bool:
        """Return whether the layers, the dtype and every bit of the parameters are the same."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.layers == other.layers and self.dtype == other.dtype and self.digest() == other.digest()

    __hash__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        from fastnn._display import notebook  # here, as `import fastnn` does without it

        rows = [
            (place, repr(row.layer), f"(n, {row.units:,})", f"{row.n_parameters:,}" if row.n_parameters else "")
            for place, row in enumerate(self.plan.rows)
        ]
        columns = {"#": True, "layer": False, "output shape": True, "parameters": True}
        total = ("", "total", "", f"{self.n_parameters:,}")
        return notebook.shown(notebook.table("Network", columns, rows, total, f"{self.dtype}, seed {self.seed}"))

    def __repr__(self) -> str:
        return f"Network([{', '.join(map(repr, self.layers))}], seed={self.seed}, dtype={self.dtype!r})"
