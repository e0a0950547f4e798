"""Training on data: the order of the rows, seeds, validation, weights, and the history."""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn._engine import threads as workers


def test_two_fits_are_one(blobs, make_trainer, dtype):
    X, y = blobs
    unbroken, broken = make_trainer(dtype), make_trainer(dtype)
    unbroken.fit(X, y, epochs=25)
    broken.fit(X, y, epochs=5)
    broken.fit(X, y, epochs=20)
    assert broken.network.digest() == unbroken.network.digest()
    assert dict(broken.history) == dict(unbroken.history)
    assert broken.steps == 25 * 11, "the ragged last batch is trained on"


@pytest.mark.parametrize("optimizer", fn.optimizers.OPTIMIZERS)
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_matter(blobs, make_trainer, optimizer, threads):
    X, y = blobs
    digests = set()
    for count in (1, threads):
        trainer = make_trainer(optimizer=optimizer, threads=count, batch_size=40)
        trainer.fit(X, y, epochs=3, sample_weight=np.arange(103))
        digests.add(trainer.network.digest())
    assert len(digests) == 1


def test_instruction_sets_do_not_matter(blobs, make_trainer, isa, dtype):
    X, y = blobs
    trainer = make_trainer(dtype, optimizer=fn.AdamW(0.01, clip_norm=0.5))
    history = trainer.fit(X, y, epochs=3, validation_fraction=0.2)
    seen = SEEN.setdefault(dtype, (trainer.network.digest(), dict(history)))
    assert (trainer.network.digest(), dict(history)) == seen


SEEN = {}


def test_the_seed_matters(blobs, make_trainer):
    X, y = blobs
    digests = set()
    for seed in (0, 0, 1, 2**64 - 1):
        trainer = make_trainer(seed=seed)
        trainer.fit(X, y)
        digests.add(trainer.network.digest())
    assert len(digests) == 3


@pytest.mark.parametrize("batch_size", [1, 10, 103, "full"])
def test_batches_are_slices_of_the_shuffled_rows(blobs, make_trainer, batch_size):
    from fastnn._engine import random

    X, y = blobs
    weights = np.linspace(0.5, 2, 103)
    fitted, stepped = make_trainer(batch_size=batch_size), make_trainer(batch_size=batch_size)
    history = fitted.fit(X, y, epochs=2, sample_weight=weights)
    size = 103 if batch_size == "full" else batch_size
    for epoch in range(2):
        order = random.permutation(103, 3, epoch)
        total = 0.0
        for start in range(0, 103, size):
            rows = order[start : start + size]
            total += stepped.step(X[rows], y[rows], weights[rows]) * weights[rows].sum()
        assert history["loss"][epoch] == pytest.approx(total / weights.sum(), rel=1e-6)
    assert stepped.network.digest() == fitted.network.digest()


def test_without_shuffling_rows_come_in_order(blobs, make_trainer):
    X, y = blobs
    fitted, stepped = make_trainer(shuffle=False), make_trainer(shuffle=False)
    fitted.fit(X, y, epochs=2)
    for start in [*range(0, 103, 10)] * 2:
        stepped.step(X[start : start + 10], y[start : start + 10])
    assert stepped.network.digest() == fitted.network.digest()


def test_any_kind_of_numbers_and_strides(blobs, make_trainer, tmp_path):
    X, y = blobs
    X = np.round(X * 4).astype(np.float32)
    wide = np.zeros((206, 14), dtype=np.float32)
    wide[::2, ::2] = X
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    digests = set()
    for given in (X, X.astype(float), X.astype(int), X.tolist(), np.asfortranarray(X), wide[::2, ::2], mapped):
        trainer = make_trainer()
        trainer.fit(given, y, epochs=2)
        digests.add(trainer.network.digest())
    assert len(digests) == 1


def test_validation_is_evaluate(blobs, make_trainer):
    X, y = blobs
    weights = np.linspace(0, 1, 30)
    trainer = make_trainer(metrics=[fn.metrics.TopK(2)])
    history = trainer.fit(X[30:], y[30:], epochs=2, validation_data=(X[:30], y[:30], weights))
    found = trainer.evaluate(X[:30], y[:30], weights)
    assert found.keys() == {"loss", "accuracy", "top_2"}
    assert history.last() == {
        "loss": history["loss"][1],
        "accuracy": history["accuracy"][1],
        "learning_rate": 0.01,
        **{f"val_{name}": value for name, value in found.items()},
    }
    alone = make_trainer()
    alone.fit(X[30:], y[30:], epochs=2)
    assert alone.network.digest() == trainer.network.digest(), "validation changes nothing"


def test_validation_fraction_holds_rows_out(blobs, make_trainer):
    X, y = blobs
    train, held = fn.data.split_rows(103, 0.25, seed=3)
    fraction, by_hand = make_trainer(), make_trainer()
    weights = np.linspace(0.5, 1, 103)
    fraction.fit(X, y, epochs=2, validation_fraction=0.25, sample_weight=weights)
    by_hand.fit(
        X[train],
        y[train],
        epochs=2,
        validation_data=(X[held], y[held], weights[held]),
        sample_weight=weights[train],
    )
    assert fraction.network.digest() == by_hand.network.digest()
    assert dict(fraction.history) == dict(by_hand.history)


def test_evaluation_in_blocks(blobs, make_trainer, monkeypatch):
    X, y = blobs
    weights = np.linspace(0, 1, 103)
    trainer = make_trainer(metrics=[fn.metrics.TopK(2)])
    whole = trainer.evaluate(X, y, weights)
    monkeypatch.setattr(trainer.network.plan, "block_rows", 10)
    assert trainer.evaluate(X, y, weights) == pytest.approx(whole, rel=1e-12)


def test_history_where_columns_come_and_go(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y)
    trainer.fit(X, y, validation_data=(X, y))
    history = trainer.fit(X, y)
    assert history.epochs == trainer.epoch == 3
    assert all(len(values) == 3 for values in history.values())
    assert [math.isnan(value) for value in history["val_loss"]] == [True, False, True]
    assert "epochs=3" in repr(history)
    with pytest.raises(KeyError, match="the columns are loss, accuracy"):
        history["val_mae"]
    history["loss"].append(0.0)
    assert len(history["loss"]) == 3, "lists are copies"


def test_it_learns(digits):
    X, y = digits
    X_train, X_test, y_train, y_test = fn.data.split(X, y, 0.2, seed=0, stratify=True)
    network = fn.Network([fn.Input(64), fn.Dense(64, "relu"), fn.Dense(10)])
    trainer = fn.Trainer(network, "cross_entropy", fn.Adam(3e-3), batch_size=64)
    trainer.fit(X_train / 16, y_train, epochs=20)
    assert trainer.evaluate(X_test / 16, y_test)["accuracy"] > 0.96
    assert trainer.history["loss"][-1] < 0.1 * trainer.history["loss"][0]


def test_class_weights_are_sample_weights(blobs, make_trainer):
    X, y = blobs
    weights = np.array([1.0, 3.0, 0.5])
    sample = np.linspace(1, 2, 103)
    plain = make_trainer()
    plain.fit(X, y, epochs=2, sample_weight=weights[y] * sample)
    plain.step(X, y, weights[y])
    for given in (weights, weights.tolist(), {1: 3, 2: 0.5}, {np.int64(1): 3.0, 2: 0.5, 0: 1}):
        trainer = make_trainer(class_weight=given)
        trainer.fit(X, y, epochs=2, sample_weight=sample)
        trainer.step(X, y)
        assert trainer.network.digest() == plain.network.digest()


def test_balanced_is_scikit_learns(blobs, make_trainer):
    from sklearn.utils.class_weight import compute_class_weight

    X, y = blobs
    y = np.where(y == 2, 0, y)  # and a class without rows
    y[:5] = 2
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y)
    given, balanced = make_trainer(class_weight=expected), make_trainer(class_weight="balanced")
    with pytest.raises(ValueError, match="known from the data of a fit"):
        balanced.step(X, y)
    for trainer in (given, balanced):
        trainer.fit(X, y)
        trainer.step(X, y)
    assert given.network.digest() == balanced.network.digest()


def test_class_weights_of_one_output(rng):
    X, y = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 2, 50)
    digests = set()
    for class_weight, sample in ((None, np.where(y, 5.0, 1.0)), ({1: 5.0}, None)):
        trainer = fn.Trainer(fn.Network([fn.Input(4), fn.Dense(1)]), "binary_cross_entropy", class_weight=class_weight)
        trainer.fit(X, y, sample_weight=sample)
        digests.add(trainer.network.digest())
    assert len(digests) == 1


def test_zero_weights_in_a_batch_are_no_problem(make_trainer, blobs):
    X, y = blobs
    weights = np.zeros(103)
    weights[-1] = 1.0
    trainer = make_trainer(optimizer="sgd", shuffle=False)
    before = trainer.network.digest()
    assert trainer.step(X[:10], y[:10], np.where(np.arange(10) < 9, 0, 1)) > 0
    trainer = make_trainer(optimizer="sgd", shuffle=False)
    history = trainer.fit(X, y, sample_weight=weights)
    assert np.isfinite(history["loss"]).all()
    assert trainer.network.digest() != before


def test_the_bits_are_the_same_while_numbers_of_threads_are_tried():
    """Long enough for several trials of each."""
    X, y = np.random.default_rng(0).normal(size=(512, 8)).astype(np.float32), np.arange(512) % 3
    digests = set()
    before = workers.insist(False)
    try:
        for threads in (1, 2, 3, "auto"):
            net = fn.Network([fn.Input(8), fn.Dense(64, "relu"), fn.Dense(64, "relu"), fn.Dense(3)], seed=0)
            fn.Trainer(net, "cross_entropy", batch_size=128, threads=threads).fit(X, y, epochs=800)
            digests.add(net.digest())
    finally:
        workers.insist(before)
    assert len(digests) == 1


def test_a_callback_sets_the_learning_rate(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer(optimizer=fn.Adam(fn.schedules.Cosine(0.1, 5)))
    halve = fn.LambdaCallback(on_epoch_end=lambda trainer, epoch, _: trainer.set_learning_rate(0.5**epoch))
    history = trainer.fit(X, y, epochs=3, callbacks=halve)
    assert history["learning_rate"][1:] == [0.5, 0.25]
    assert trainer.optimizer == fn.Adam(0.125)
    with pytest.raises(ValueError, match="rate must be a finite number above 0"):
        make_trainer(optimizer="sgd").set_learning_rate(0.0, scales_momentum=True)


def test_the_squared_weights_are_those_of_weights_alone(make_trainer):
    trainer = make_trainer()
    parameters = trainer.network.parameters
    expected = sum((parameters[name].astype(float) ** 2).sum() for name in ("0.weight", "4.weight"))
    assert trainer.squared_weights == pytest.approx(expected)


def test_weights_of_classes_are_read_only(blobs, make_trainer):
    """They have been checked; a value written in would train with what nobody looked at."""
    for given in ({0: 2.0}, [1.0, 2.0, 3.0]):
        trainer = make_trainer(class_weight=given)
        with pytest.raises(ValueError, match="read-only"):
            trainer.class_weight[0] = np.nan
