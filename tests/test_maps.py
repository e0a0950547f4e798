"""Memory-mapped data train in bounded memory, with the bits of the same data in memory."""

import json
import mmap
import subprocess
import sys

import numpy as np
import pytest

import fastnn as fn
from fastnn._input import interruptible, memory_maps

# Trains on a file four times as large as what may be resident, and prints the most that was resident by then. In order:
# shuffled, a page of a row brings its neighbours along, and all of so small a file is there after some hundred rows.
PROGRAM = """
import json, sys
import numpy as np
import fastnn as fn
from fastnn._input import interruptible, memory_maps
from fastnn.training import loop

path, budget = sys.argv[1], int(sys.argv[2])
memory_maps.BUDGET, interruptible.BYTES, loop.SLICE_SECONDS = budget, budget // 4, 0.004
X = np.load(path, mmap_mode="r")
y = np.arange(len(X)) % 3
net = fn.Network([fn.Input(X.shape[1]), fn.Dense(256, "relu"), fn.Dense(3)], seed=0)
trainer = fn.Trainer(net, "cross_entropy", batch_size=100, seed=0, shuffle=False)

def resident(name):
    with open("/proc/self/status") as status:
        return [1024 * int(line.split()[1]) for line in status if line.startswith(name)][0]

before = resident("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
trainer.fit(X, y, epochs=1, validation_data=(X, y))
print(json.dumps({"grown": resident("VmHWM") - before, "size": X.nbytes, "digest": net.digest()}))
"""


@pytest.fixture
def path(tmp_path):
    """160 MB of float32."""
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (80_000, 500))
    X[:] = np.random.default_rng(0).standard_normal((len(X), 1), np.float32) + np.linspace(-1, 1, 500, dtype=np.float32)
    X.flush()
    return tmp_path / "X.npy"


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from Linux")
def test_a_large_file_trains_in_bounded_memory(path):
    found = []
    for budget in (40 << 20, 1 << 30):
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(path), str(budget)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    bounded, whole = found
    assert bounded["digest"] == whole["digest"]
    assert whole["grown"] > 0.9 * whole["size"], "the file was not read through its map: the bound below says nothing"
    assert bounded["grown"] < 0.6 * bounded["size"]


def test_maps_are_trained_on_with_the_bits_of_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "BUDGET", 0)
    monkeypatch.setattr(interruptible, "BYTES", 1000)
    X, y = np.random.default_rng(0).standard_normal((2000, 20), np.float32), np.arange(2000) % 3
    np.save(tmp_path / "X.npy", X)
    digests = set()
    for data in (X, *(np.load(tmp_path / "X.npy", mmap_mode=mode) for mode in ("r", "r+", "c"))):
        net = fn.Network([fn.Input(20), fn.Dense(8, "relu"), fn.Dense(3)], seed=0)
        fn.Trainer(net, "cross_entropy").fit(data, y, epochs=3, validation_data=(data, y))
        digests.add(net.digest())
    assert len(digests) == 1


def test_changes_of_a_private_map_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "BUDGET", 0)
    np.save(tmp_path / "X.npy", np.zeros((4096, 4), np.float32))
    X = np.load(tmp_path / "X.npy", mmap_mode="c")
    X[:] = 1
    net = fn.Network([fn.Input(4), fn.Dense(1)], seed=0)
    fn.Trainer(net, "mean_squared").fit(X, X[:, 0], epochs=1)
    assert (X == 1).all()


def test_which_arrays_lie_in_files(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "BUDGET", 100)
    np.save(tmp_path / "X.npy", np.zeros((40, 4), np.float32))
    shared, private = (np.load(tmp_path / "X.npy", mmap_mode=mode) for mode in ("r", "c"))
    assert isinstance(memory_maps.mapped_file(shared), mmap.mmap)
    assert memory_maps.mapped_file(np.asarray(shared)[1:, ::2]) is memory_maps.mapped_file(shared)
    assert memory_maps.mapped_file(private) is None
    assert memory_maps.mapped_file(np.zeros((40, 4))) is None
    assert memory_maps.mapped_file(shared[:5] + 1) is None  # a memmap by type, but in memory
    monkeypatch.setattr(memory_maps, "BUDGET", 10_000)
    assert memory_maps.mapped_file(shared) is None


@pytest.mark.parametrize("place", [(0, 0), (999, 3), (500, 2)])
def test_a_nan_in_a_map_is_found_where_it_is(tmp_path, monkeypatch, place):
    monkeypatch.setattr(memory_maps, "BUDGET", 0)
    monkeypatch.setattr(interruptible, "BYTES", 160)
    X = np.zeros((1000, 4), np.float32)
    X[place] = np.nan
    np.save(tmp_path / "X.npy", X)
    net = fn.Network([fn.Input(4), fn.Dense(1)], seed=0)
    with pytest.raises(ValueError, match=f"X must be finite; got nan in row {place[0]}, column {place[1]}"):
        fn.Trainer(net, "mean_squared").fit(np.load(tmp_path / "X.npy", mmap_mode="r"), X[:, 0])
