"""The history of a run: a read-only dict for data frames, and snapshots that stay as they are."""

import copy
import json
import math
import pickle

import pytest

import fastnn as fn

COLUMNS = {"loss": [3.0, 2.0, 1.0], "val_loss": [math.nan, 2.5, 2.0]}


def test_what_fit_returns_stays_as_it_is(blobs, make_trainer):
    trainer = make_trainer()
    first = trainer.fit(*blobs, epochs=2)
    before = first.to_dict()
    second = trainer.fit(*blobs, epochs=3, validation_data=blobs)
    assert (first.epochs, second.epochs, trainer.history.epochs) == (2, 5, 5)
    assert first.to_dict() == before
    assert list(first) == ["loss", "accuracy", "learning_rate"]
    assert second == trainer.history != first
    assert first["loss"] == second["loss"][:2]
    assert trainer.fit(*blobs, epochs=0) == second


def test_a_snapshot_of_its_own_does_not_reach_the_run():
    history = fn.History(COLUMNS)
    one, other = history.snapshot(), history.snapshot()
    one.append({"loss": 0.5})
    assert (one.epochs, other.epochs, history.epochs) == (4, 3, 3)
    history.append({"loss": 0.25, "new": 1.0})
    assert (one["loss"][-1], other["loss"][-1], history["loss"][-1]) == (0.5, 1.0, 0.25)
    assert math.isnan(history["new"][0])
    assert "new" not in other
    assert json.loads(json.dumps(other))["loss"] == [3.0, 2.0, 1.0]  # read from the dict itself


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library):
    history = fn.History(COLUMNS)
    frame = pytest.importorskip(library, reason=f"{library} is not installed").DataFrame(history)
    assert list(frame.columns) == ["loss", "val_loss"]
    assert frame["loss"].to_list() == [3.0, 2.0, 1.0]
    assert math.isnan(frame["val_loss"].to_list()[0])
    assert frame.shape == (3, 2)


def test_data_frames_with_the_epochs_for_an_index():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    history = fn.History(COLUMNS)
    frame = pandas.DataFrame(history, index=pandas.RangeIndex(1, history.epochs + 1, name="epoch"))
    assert frame["val_loss"].idxmin() == 3
    assert pandas.DataFrame(fn.History()).empty


def test_it_is_a_mapping():
    history = fn.History(COLUMNS)
    assert list(history) == list(history.keys()) == ["loss", "val_loss"]
    assert len(history) == 2
    assert "loss" in history
    assert "x" not in history
    assert history.get("x") is None
    assert history.get("loss") == dict(history)["loss"] == {**history}["loss"] == dict(history.items())["loss"]
    assert next(iter(history.values())) == [3.0, 2.0, 1.0]
    assert history.last() == {"loss": 1.0, "val_loss": 2.0}
    assert fn.History().last() == {}
    history["loss"].append(0.0)
    history.copy()["loss"].append(0.0)
    next(iter(history.values())).append(0.0)
    assert history.epochs == 3
    with pytest.raises(KeyError, match="the columns are loss, val_loss; got 'x'"):
        history["x"]


@pytest.mark.parametrize(
    "change",
    [
        lambda history: history.__setitem__("loss", []),
        lambda history: history.__delitem__("loss"),
        lambda history: history.update(loss=[]),
        lambda history: history.setdefault("x", []),
        lambda history: history.pop("loss"),
        lambda history: history.popitem(),
        lambda history: history.clear(),
        lambda history: history.__ior__({"loss": []}),
    ],
)
def test_it_is_read_only(change):
    history = fn.History(COLUMNS)
    with pytest.raises(TypeError, match=r"a history is read-only: history\.to_dict"):
        change(history)
    assert history == fn.History(COLUMNS)


def test_equality_and_copies():
    history = fn.History(COLUMNS)
    for other in (copy.copy(history), copy.deepcopy(history), pickle.loads(pickle.dumps(history)), history.to_dict()):
        assert history == other
        assert (history != other) is False
    assert type(copy.copy(history)) is fn.History
    for other in (fn.History(), {"loss": [3.0, 2.0, 1.0]}, COLUMNS | {"loss": 5}, COLUMNS | {"loss": [3.0, 2.0]}, 5):
        assert history != other
    assert history != COLUMNS | {"val_loss": [1.0, 2.5, 2.0]}
    with pytest.raises(TypeError, match="unhashable"):
        hash(history)
