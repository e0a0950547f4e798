"""Files of trainers: all that was given is there again, and what is no trainer is refused."""

import json
import pickle

import numpy as np
import pytest

import fastnn as fn
from fastnn._storage import files


def test_all_that_was_given_is_there_again(tmp_path):
    network = fn.Network([fn.Input(4), fn.Dense(5, "relu"), fn.Dense(3)], seed=7, dtype="float64")
    trainer = fn.Trainer(
        network,
        fn.CrossEntropy(0.1),
        fn.AdamW(fn.Warmup(fn.ReduceOnPlateau(0.1, patience=3), 7), weight_decay=0.02, clip_norm=1 / 3),
        batch_size="full",
        seed=11,
        threads=2,
        shuffle=False,
        metrics=[fn.metrics.TopK(2)],
        class_weight={1: 0.1},
    )
    trainer.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run")
    for name in ("network", "loss", "optimizer", "batch_size", "seed", "threads", "shuffle", "metrics"):
        assert getattr(loaded, name) == getattr(trainer, name), name
    np.testing.assert_array_equal(loaded.class_weight, [1, 0.1, 1])
    assert fn.Trainer.load(tmp_path / "run", threads="auto").threads == "auto"
    assert fn.Network.load(tmp_path / "run") == network


@pytest.mark.parametrize("loss", fn.losses.LOSSES)
def test_every_loss_and_metric_is_there_again(tmp_path, loss):
    """Even those whose classes have the same name."""
    metrics = {"cross_entropy": [fn.metrics.TopK(3)], "binary_cross_entropy": []}.get(loss, ["mae", "rmse", "r2"])
    trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(6)]), loss, metrics=metrics)
    trainer.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run")
    assert (loaded.loss, loaded.metrics) == (trainer.loss, trainer.metrics)


def test_files_that_are_no_trainers(blobs, make_trainer, tmp_path, rng):
    X, y = blobs
    with pytest.raises(FileNotFoundError, match="nothing"):
        fn.Trainer.load(tmp_path / "nothing")
    trainer, path = make_trainer(), tmp_path / "run"
    trainer.network.save(path)
    with pytest.raises(ValueError, match="holds a network; expected a trainer"):
        fn.Trainer.load(path)
    trainer.fit(X, y)
    trainer.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated, damaged or not a fastnn model"):
        fn.Trainer.load(path)
    header = 8 + int.from_bytes(content[:8], "little")
    for position in rng.integers(header, len(content), 30):
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|finite"):
            fn.Trainer.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", {"type": "Dense", "units": 3}),
        ("loss", None),
        ("optimizer", {"type": "Adam", "rate": 3}),
        ("optimizer", "adm"),
        ("metrics", [{"type": "eval"}]),
        ("batch_size", -3),
        ("history", 5),
        ("epoch_rows", None),
    ],
)
def test_metadata_that_do_not_fit(blobs, make_trainer, tmp_path, name, value):
    from safetensors.numpy import load_file

    path = tmp_path / "run"
    make_trainer().save(path)
    tensors, content = load_file(path), path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = json.loads(header["__metadata__"]["fastnn"]) | {name: value}
    if value is None:
        del metadata[name]
    del metadata["sha256"]
    files.write(path, tensors, metadata)  # with valid checksums
    with pytest.raises(ValueError, match="damaged or not a fastnn trainer"):
        fn.Trainer.load(path)


def test_history_is_kept_to_the_last_bit(blobs, make_trainer, tmp_path):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y)
    trainer.fit(X, y, epochs=3, validation_data=(X, y))
    trainer.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run").history
    assert list(loaded) == list(trainer.history)
    for name, values in trainer.history.items():
        np.testing.assert_array_equal(loaded[name], values)


@pytest.mark.parametrize("way", ["file", "pickle"])
def test_metadata_of_the_network_are_kept(make_trainer, tmp_path, way):
    trainer = make_trainer()
    trainer.network.metadata = {"classes": ["a", "b"], "scale": 0.3}
    if way == "file":
        trainer.save(tmp_path / "run")
        networks = [fn.Trainer.load(tmp_path / "run").network, fn.Network.load(tmp_path / "run")]
    else:
        networks = [pickle.loads(pickle.dumps(trainer)).network, pickle.loads(pickle.dumps(trainer.network))]
    for network in networks:
        assert network.metadata == trainer.network.metadata
