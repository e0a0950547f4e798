"""Fixtures that several files of tests share."""

import os
import signal
from pathlib import Path

import checkout  # noqa: F401
import numpy as np
import pytest
from kernels import kernels

import fastnn as fn
from fastnn._engine import threads
from fastnn._runtime import instruction_sets

# Tests press Ctrl-C, which a shell makes its background jobs, and their children, ignore.
signal.signal(signal.SIGINT, signal.default_int_handler)


# What the command prints is as wide everywhere; the workers of pytest-xdist set this.
os.environ.pop("COLUMNS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Let the whole suite use every core where pytest-xdist is installed; tests that are named stay in one process.

    As an option in ``pyproject.toml``, that would start workers for a single test, and fail without pytest-xdist.
    """
    is_whole = config.args_source is not config.ArgsSource.ARGS and not hasattr(config, "workerinput")
    if is_whole and config.getoption("numprocesses", 0) is None and not config.getoption("usepdb"):
        config.option.numprocesses, config.option.dist = "auto", "worksteal"


@pytest.fixture(autouse=True, scope="session")
def _outside_of_the_sources():
    """``python -c`` looks into the current folder first: in a checkout, it would find sources that nobody has built."""
    before = Path.cwd()
    os.chdir(Path(__file__).parent)
    yield
    os.chdir(before)


@pytest.fixture(autouse=True, scope="session")
def _exact_numbers_of_threads():
    """Networks too small for several threads train on several all the same, where a test says so."""
    before = threads.insist(True)
    yield
    threads.insist(before)


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=instruction_sets.available())
def isa(request):
    """Each instruction set that this machine runs, used for all that the test makes."""
    before = instruction_sets.current()
    instruction_sets.use(request.param)
    yield request.param
    instruction_sets.use(before)


@pytest.fixture(params=instruction_sets.available())
def built(request, dtype):
    """The kernels of each instruction set and dtype."""
    return kernels(request.param, dtype)


@pytest.fixture
def torch_settings(dtype):
    """One thread; the dtype as the default one, in which NAdam keeps its product of momenta."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, dtype))
    yield
    torch.set_num_threads(before[0])
    torch.set_default_dtype(before[1])


@pytest.fixture(scope="session")
def digits():
    return fn.data.load_digits()


@pytest.fixture
def blobs(rng):
    """103 rows of 7 features in 3 classes: small, and no multiple of anything."""
    y = rng.integers(0, 3, 103)
    X = rng.normal(size=(103, 7)) + 1.5 * np.eye(3, 7)[y]
    return X.astype(np.float32), y


@pytest.fixture
def network():
    """A network with a layer of every kind, for 7 features and 3 outputs."""
    return fn.Network(
        [fn.Input(7), fn.Dense(16, "gelu"), fn.Dropout(0.1), fn.LayerNorm(), fn.Activation("relu"), fn.Dense(3)], seed=2
    )


@pytest.fixture
def make_trainer():
    """A function that makes a trainer, and a fresh network for it, for `blobs`."""

    def make(dtype="float32", **arguments):
        layers = [fn.Input(7), fn.Dense(16, "relu"), fn.Dropout(0.2), fn.LayerNorm(), fn.Dense(3)]
        options = {"loss": "cross_entropy", "optimizer": fn.Adam(0.01), "batch_size": 10, "seed": 3}
        return fn.Trainer(fn.Network(layers, seed=1, dtype=dtype), **(options | arguments))

    return make
