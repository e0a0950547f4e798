"""PyTorch: eager, with oneDNN's matrix products, and compiled."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from benchmarks.instruction_sets import cap
from benchmarks.peers.peer import Peer
from benchmarks.rungs import LEARNING_RATE, Rung


class Torch(Peer):
    """Eager: data in tensors, batches gathered by index, the fused optimizer, no ``DataLoader``."""

    module = distribution = "torch"

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import torch

        torch.manual_seed(0)
        self.torch = torch
        self.n_threads = threads
        self.rung = rung
        layers: list[torch.nn.Module] = []
        for n_in, n_out in zip(rung.sizes, rung.sizes[1:], strict=False):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
        self.network = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for parameter, values in zip(self.network.parameters(), rung.initial(), strict=True):
                parameter.copy_(torch.from_numpy(values))
        optimizer = torch.optim.SGD if rung.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = optimizer(self.network.parameters(), lr=LEARNING_RATE, fused=True)
        functional = torch.nn.functional
        self.loss = functional.binary_cross_entropy_with_logits if rung.is_binary else functional.cross_entropy
        X, y = rung.data()
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        if rung.is_binary:
            self.y = self.y.float()[:, None]
        self.updates_made = 0

    def run(self, epochs: int) -> None:
        self.torch.set_num_threads(self.n_threads)
        for _ in range(epochs):
            if self.rung.shuffles:
                for rows in self.torch.randperm(self.rung.rows).split(self.rung.batch):
                    self.step(self.X.index_select(0, rows), self.y.index_select(0, rows))
            else:
                self.step(self.X, self.y)

    def step(self, X: Any, y: Any) -> None:
        """Make one update. The loss is not looked at, which would cost time."""
        loss = self.loss(self.network(X), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.updates_made += 1

    @property
    def updates(self) -> int:
        return self.updates_made

    def parameters(self) -> list[np.ndarray]:
        return [parameter.detach().numpy() for parameter in self.network.parameters()]

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        torch, network, given = self.torch, self.network.eval(), self.torch.from_numpy(x)
        torch.set_num_threads(self.n_threads)

        def predict() -> Any:
            with torch.inference_mode():
                return network(given)

        return predict

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        return {**cap("torch", isa), "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


class OneDNN:
    """Matrix products by oneDNN's float32 kernels instead of MKL's, which are slow on other makers' processors.

    What asks for oneDNN also allows products in bfloat16, which processors with such instructions then use. Those are
    switched off, and the result is looked at: what is compared is float32.
    """

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import torch

        torch.backends.mkldnn.matmul.fp32_precision = "bf16"
        a, b = torch.rand(128, 512), torch.rand(512, 128)
        exact = a.double() @ b.double()
        if ((a @ b - exact) / exact).abs().max() > 1e-5:
            raise RuntimeError("oneDNN does not compute in float32 here")
        super().__init__(rung, threads)  # type: ignore[call-arg]

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        return {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", **Torch.environment(threads, isa)}


class TorchOneDNN(OneDNN, Torch):
    """Eager, with oneDNN."""


class TorchCompiled(Torch):
    """The whole step in one graph: gathering, forward, loss, backward and Adam. Called from C++ (``cpp_wrapper``)."""

    folder: ClassVar[tempfile.TemporaryDirectory[str]]  # what is compiled in this process

    def __init__(self, rung: Rung, threads: int | str) -> None:
        super().__init__(rung, threads)
        torch = self.torch
        self.values = [parameter.detach() for parameter in self.network.parameters()]  # the same memory
        self.means, self.squares = ([torch.zeros_like(each) for each in self.values] for _ in range(2))
        self.steps_made = torch.zeros(())
        self.all_rows = torch.arange(rung.rows)

    def compile(self) -> None:
        from torch._inductor import config

        self.torch.set_num_threads(self.n_threads)  # the code is made for so many
        config.cpp_wrapper = True
        self.update = self.torch.compile(self.whole_step, fullgraph=True, dynamic=False)
        with self.torch.no_grad():
            self.update(self.all_rows[: self.rung.batch])
        self.updates_made += 1

    def run(self, epochs: int) -> None:
        self.torch.set_num_threads(self.n_threads)
        with self.torch.no_grad():
            for _ in range(epochs):
                order = self.torch.randperm(self.rung.rows) if self.rung.shuffles else self.all_rows
                for rows in order.split(self.rung.batch):
                    self.update(rows)
                    self.updates_made += 1

    def whole_step(self, rows: Any) -> None:
        """Make one update; this is what is compiled."""
        torch = self.torch
        X, y = self.X, self.y
        if self.rung.shuffles:
            X, y = X.index_select(0, rows), y.index_select(0, rows)
        gradients = torch.func.grad(lambda values: self.loss(self.outputs(values, X), y))(self.values)
        if self.rung.optimizer == "sgd":
            for value, gradient in zip(self.values, gradients, strict=True):
                value.sub_(LEARNING_RATE * gradient)
            return
        self.steps_made.add_(1)
        rate, scale = LEARNING_RATE / (1 - 0.9**self.steps_made), (1 - 0.999**self.steps_made).sqrt()
        for value, mean, square, gradient in zip(self.values, self.means, self.squares, gradients, strict=True):
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            value.sub_(rate * mean / (square.sqrt() / scale + 1e-8))

    def outputs(self, values: Any, X: Any) -> Any:
        """Compute the forward pass."""
        functional = self.torch.nn.functional
        for weight, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
            X = functional.relu(functional.linear(X, weight, bias))
        return functional.linear(X, values[-2], values[-1])

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        self.network = self.torch.compile(self.network.eval(), fullgraph=True, dynamic=False)
        return super().predictor(x)

    @classmethod
    def load(cls) -> None:
        super().load()
        # A folder of its own: what an earlier run compiled would make the compile time look short.
        cls.folder = tempfile.TemporaryDirectory()
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cls.folder.name

    @classmethod
    def is_installed(cls) -> bool:
        return super().is_installed() and shutil.which("g++") is not None


class TorchCompiledOneDNN(OneDNN, TorchCompiled):
    """Compiled, with oneDNN."""
