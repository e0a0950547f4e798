"""A short run of the fuzzer from a fixed seed; `python -m fuzz` makes long ones, guided by coverage."""

import json
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from fuzz import mutate, targets
from fuzz.__main__ import shake

import fastnn as fn
from fastnn import tables

NUMBERS = {"network": 250, "trainer": 120, "record": 250, "page": 3, "preprocessor": 300, "csv": 200, "onnx": 200}
NUMBERS |= {"parquet": 200, "arrow": 200}


@pytest.fixture(autouse=True)
def _warnings_are_given_back():
    with warnings.catch_warnings():
        yield


@pytest.mark.parametrize("name", targets.TARGETS)
def test_changed_files_are_refused_or_work(name, tmp_path):
    pytest.importorskip(targets.TARGETS[name].needs)
    if name in ("parquet", "arrow"):  # Polars may abort where it gets no memory: in a process of its own
        command = [sys.executable, "-m", "fuzz", name, str(NUMBERS[name])]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        counts = json.loads(done.stdout)
    else:
        counts = shake(name, NUMBERS[name], tmp_path, most=1)
    assert sum(counts.values()) == NUMBERS[name]
    assert counts["refused"] > 0
    assert counts["read"] > 0 or name == "page"


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_are_read(name, tmp_path):
    target = targets.TARGETS[name]
    pytest.importorskip(target.needs)
    targets.use(tmp_path)
    path = tmp_path / f"input{target.suffix}"
    for content in target.seeds(tmp_path):
        path.write_bytes(content)
        assert target.run(path) == "read"


def resealed(tmp_path, change, halfway=False):
    """The file of a trainer in which something is changed and all checksums are right."""
    content = targets.TARGETS["trainer"].seeds(tmp_path)[-1 if halfway else 0]
    metadata, tensors = targets._parts(content)
    change(metadata, tensors)
    path = tmp_path / "changed.safetensors"
    path.write_bytes(targets.seal(metadata, tensors, tmp_path))
    return path


def state(name, array):
    return lambda metadata, tensors: tensors.update({f"optimizer/{name}": np.array(array)})


def entry(name, value):
    return lambda metadata, tensors: metadata.update({name: value})


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (state("counters", [6, -8]), "position in the epoch must be an integer of at least 0"),
        (state("counters", [6, 2**40]), "position in the epoch"),
        (state("counters", [-1, 0]), "steps must be an integer of at least 0"),
        (state("counters", [6.0, 0.0]), "'counters' must have shape (2,) and dtype int64"),
        (state("0.weight.state0", np.zeros(4, np.float32)), "'0.weight.state0' must have shape"),
        (lambda metadata, tensors: tensors.pop("optimizer/sums"), "lacks 'sums'"),
        (entry("history", {"loss": ["a"]}), "history must hold a list of numbers"),
        (entry("history", {"loss": [1.0], "accuracy": []}), "history must have columns of one length"),
        (entry("epoch_rows", "24"), "epoch_rows must be an integer"),
        (entry("metadata", 7), "metadata must be a mapping"),
        (entry("untold", ["get_state", [1], ["EarlyStopping.0"]]), "untold must be one of 'on_epoch_begin'"),
        (entry("untold", ["on_step_end", ["x"], []]), "the argument of untold must be an integer"),
        (entry("weight_by_class", [1.0]), "class_weight"),
        (entry("layers", [{"type": "Input", "features": 10**9}, {"type": "Dense", "units": 10**9}]), "must have shape"),
    ],
)
def test_what_is_sealed_is_looked_at_all_the_same(tmp_path, change, fragment):
    path = resealed(tmp_path, change)
    with pytest.raises(ValueError, match=r"damaged or not a fastnn") as caught:
        fn.Trainer.load(path)
    assert fragment in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_damaged_state_of_early_stopping_is_named(tmp_path):
    def change(metadata, tensors):
        metadata["callbacks"]["EarlyStopping.0"]["wait"] = "three"

    trainer = fn.Trainer.load(resealed(tmp_path, change))
    with pytest.raises(ValueError, match="state of EarlyStopping is damaged: wait must be an integer"):
        trainer.fit(targets.X, targets.Y, callbacks=fn.EarlyStopping(1))


def test_early_stopping_of_another_network_is_refused_before_an_epoch():
    stopping = fn.EarlyStopping(patience=5)
    targets.trainer().fit(targets.X, targets.Y, 1, callbacks=stopping)
    other = fn.Trainer(fn.Network([fn.Input(5), fn.Dense(3)]), "cross_entropy", batch_size=8)
    with pytest.raises(ValueError, match="EarlyStopping of this network"):
        other.fit(targets.X, targets.Y, 1, callbacks=stopping)
    assert other.epoch == 0


def test_deep_descriptions_are_refused():
    text = '{"type": "Warmup", "steps": 1, "schedule": ' * 400 + "1.0" + "}" * 400
    column = f'{{"version": 1, "columns": [{text}], "unused": []}}'
    with pytest.raises(ValueError, match="damaged"):
        tables.Preprocessor.from_json(column)
    with pytest.raises(ValueError, match="not JSON"):
        tables.Preprocessor.from_json("[" * 100_000)


def test_changes_of_json_are_varied():
    chance, data = random.Random(0), {"a": [1, 2.5, "x", {"b": None}], "c": True}
    changed = {json.dumps(mutate.of_data(data, chance)) for _ in range(500)}
    assert len(changed) > 200
    assert data == {"a": [1, 2.5, "x", {"b": None}], "c": True}
