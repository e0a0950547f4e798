"""The record of a run, and the data that fastnn ships."""

import json
import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import records


@pytest.fixture
def run():
    X = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    y = np.array([0, 1, 0, 1, 0, 1])
    trainer = fn.Trainer(
        fn.Network([fn.Input(2), fn.Dense(2)], seed=3), "cross_entropy", fn.AdamW(1e-3), batch_size=2, seed=4
    )
    trainer.fit(X, y, epochs=2)
    return trainer, X, y


def test_what_a_record_holds(run):
    trainer, X, y = run
    record = records.run_record(trainer, X, y, results={"score": np.float64(0.5)}, data={"name": "six"})
    assert record["network"]["digest"] == trainer.network.digest()
    assert record["network"]["layers"][0] == {"type": "Input", "features": 2}
    assert record["training"]["optimizer"]["learning_rate"] == 1e-3
    assert record["training"]["epochs"] == 2
    assert record["seeds"] == {"network": 3, "trainer": 4}
    assert record["data"] == {
        "X_shape": [6, 2],
        "y_shape": [6],
        "has_sample_weight": False,
        "fingerprint": fn.data.fingerprint(X, y),
        "validation": None,
        "name": "six",
    }
    assert record["history"]["loss"] == trainer.history["loss"]
    assert record["results"] == {"score": 0.5}
    assert record["environment"]["fastnn"] == fn.__version__


def test_written_and_read_back(run, tmp_path):
    trainer, X, y = run
    record = records.run_record(trainer, X, y, note=["a [1,\n 2]", "ß"], empty=[])
    records.write(tmp_path / "record.json", record)
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert json.loads(text) == record
    assert '"X_shape": [6, 2]' in text


def test_what_json_cannot_hold(tmp_path):
    values = {"a": math.nan, "b": [math.inf], "c": np.arange(3), "d": np.bool_(True), "e": tmp_path}
    records.write(tmp_path / "record.json", values)
    expected = {"a": None, "b": [None], "c": [0, 1, 2], "d": True, "e": str(tmp_path)}
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8")) == expected


def test_digits_are_those_of_the_source():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = fn.data.load_digits()
    source_X, source_y = datasets.load_digits(return_X_y=True)
    np.testing.assert_array_equal(X, source_X)
    np.testing.assert_array_equal(y, source_y)
