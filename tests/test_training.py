import math
import pickle
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest
from suited import NUMERIC

import fastnn as fn
from fastnn._engine import threads as workers
from fastnn._engine.training import Training


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


def test_data_of_the_right_dtype_are_not_copied(make_trainer):
    import tracemalloc

    X = np.zeros((200_000, 7), dtype=np.float32)
    y = np.zeros(200_000, dtype=np.int64)
    trainer = make_trainer(batch_size=1000)
    trainer.fit(X[:2000], y[:2000])
    tracemalloc.start()
    trainer.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The order of the rows, in its making, takes 20 bytes a row; the data would take 28.
    assert peak < 24 * 200_000


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


# ------------------------------------------------------------------ class weights


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


# ---------------------------------------------------------------- ending a run


def test_max_seconds_stops_and_goes_on_with_the_same_bits(make_trainer, rng):
    X, y = rng.normal(size=(20_000, 7)).astype(np.float32), rng.integers(0, 3, 20_000)
    unbroken, broken = make_trainer(batch_size=4), make_trainer(batch_size=4)
    for _ in range(5):
        before, start = broken.steps, time.monotonic()
        broken.fit(X, y, epochs=1000, max_seconds=0.02)
        assert time.monotonic() - start < 2
        assert broken.steps > before
        assert broken.epoch < 1000
    broken.fit(X, y, epochs=1)
    unbroken.fit(X, y, epochs=broken.epoch)
    assert broken.network.digest() == unbroken.network.digest()
    assert dict(broken.history) == dict(unbroken.history)


def test_an_unfinished_epoch_counts(blobs, make_trainer):
    X, y = blobs

    class StopAt(fn.Callback):
        def on_step_end(self, trainer, step):
            if step == 4:
                trainer.stop()

    unbroken, broken = make_trainer(), make_trainer()
    unbroken.fit(X, y, epochs=2)
    broken.fit(X, y, epochs=2, callbacks=[StopAt()])
    assert (broken.epoch, broken.steps) == (0, 4)
    with pytest.raises(ValueError, match=r"103 rows of the epoch that is under way; got 102 rows"):
        broken.fit(X[1:], y[1:])
    broken.fit(X, y, epochs=2)
    assert broken.epoch == 2
    assert broken.network.digest() == unbroken.network.digest()
    assert dict(broken.history) == dict(unbroken.history)


def test_stop_from_another_thread(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    timer = threading.Timer(0.2, trainer.stop)
    timer.start()
    trainer.fit(X, y, epochs=10**9)
    timer.join()
    reference = make_trainer()
    trainer.fit(X, y, epochs=1)
    reference.fit(X, y, epochs=trainer.epoch)
    assert trainer.network.digest() == reference.network.digest()


def test_fit_in_another_thread_leaves_signals_alone(blobs, make_trainer):
    X, y = blobs
    trainer, reference = make_trainer(), make_trainer()
    thread = threading.Thread(target=trainer.fit, args=(X, y, 3))
    thread.start()
    thread.join()
    reference.fit(X, y, 3)
    assert trainer.network.digest() == reference.network.digest()


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import fastnn as fn

rng = np.random.default_rng(0)
X, y = rng.normal(size=(30_000, 20)).astype(np.float32), rng.integers(0, 3, 30_000)

def make(units):
    network = fn.Network([fn.Input(20), fn.Dense(units, "relu"), fn.Dropout(0.2), fn.Dense(3)])
    return fn.Trainer(network, "cross_entropy", batch_size=BATCH)

sent = []

def interrupt():
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

trainer = make(UNITS)
handler = signal.getsignal(signal.SIGINT)
for delay in (0.15, 0.4):
    threading.Timer(delay, interrupt).start()
    try:
        trainer.fit(X, y, epochs=100_000)
    except KeyboardInterrupt:
        waited = time.monotonic() - sent.pop()
    else:
        sys.exit("no KeyboardInterrupt")
    assert waited < LIMIT, waited
    assert signal.getsignal(signal.SIGINT) is handler
trainer.fit(X, y, epochs=1)
unbroken = make(UNITS)
unbroken.fit(X, y, epochs=trainer.epoch)
assert unbroken.steps == trainer.steps
assert unbroken.network.digest() == trainer.network.digest()
assert dict(unbroken.history) == dict(trainer.history)
"""


@pytest.mark.parametrize(("batch", "units"), [(32, 16), ("'full'", 1024)], ids=["small steps", "one long step"])
def test_control_c(batch, units):
    # The limit is a quarter of a second on a machine with nothing else to do.
    script = INTERRUPTED.replace("BATCH", str(batch)).replace("UNITS", str(units)).replace("LIMIT", "1.0")
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_control_c_respects_another_handler(blobs, make_trainer):
    X, y = blobs
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        trainer, reference = make_trainer(), make_trainer()
        press = fn.LambdaCallback(on_epoch_end=lambda *_: signal.raise_signal(signal.SIGINT))
        trainer.fit(X, y, epochs=3, callbacks=[press])
        assert heard == [1, 1, 1]
    finally:
        signal.signal(signal.SIGINT, before)
    reference.fit(X, y, epochs=3)
    assert trainer.network.digest() == reference.network.digest()


@pytest.mark.parametrize("where", ["on_fit_begin", "on_epoch_begin", "on_step_end", "on_epoch_end"])
def test_control_c_in_a_callback(blobs, make_trainer, where):
    X, y = blobs
    trainer, reference = make_trainer(), make_trainer()

    class Press(fn.Callback):
        pressed = False

    def press(self, *_):
        if (not self.pressed and trainer.steps >= 15) or where == "on_fit_begin":
            self.pressed = True
            signal.raise_signal(signal.SIGINT)

    setattr(Press, where, press)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, epochs=4, callbacks=[Press()])
    trainer.fit(X, y, epochs=4 - trainer.epoch)
    reference.fit(X, y, epochs=4)
    assert trainer.network.digest() == reference.network.digest()
    assert dict(trainer.history) == dict(reference.history)


def test_divergence_names_epoch_and_step_and_leaves_finite_parameters(rng):
    X, y = rng.normal(size=(64, 4)).astype(np.float32), 1e3 * rng.normal(size=64)
    network = fn.Network([fn.Input(4), fn.Dense(8, "relu"), fn.Dense(1)])
    trainer = fn.Trainer(network, "mean_squared", fn.SGD(10.0), batch_size=8)
    with pytest.raises(fn.DivergedError) as caught:
        trainer.fit(X, y, epochs=50)

    def many_steps():
        for _ in range(50):
            trainer.step(X, y)

    error = caught.value
    assert isinstance(error, FloatingPointError)
    assert f"epoch {error.epoch}, step {error.step}" in str(error)
    assert "learning rate 10" in str(error)
    assert (error.step - 1) // 8 + 1 == error.epoch == trainer.epoch + 1
    assert all(np.isfinite(array).all() for array in network.parameters.values())
    assert pickle.loads(pickle.dumps(error)).step == error.step
    with pytest.raises(fn.DivergedError):
        many_steps()
    assert all(np.isfinite(array).all() for array in network.parameters.values())


LAYERS = [fn.Input(4), fn.Dense(8, "relu"), fn.Dropout(0.1), fn.LayerNorm(), fn.Dense(8, "silu"), fn.Dense(1)]


@pytest.mark.parametrize("rows", [8, 5000])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("name", "layer", "what"),
    [
        ("0.weight", 1, "the outputs of layer 1, Dense(8, 'relu'),"),
        ("3.weight", 3, "the outputs of layer 3, LayerNorm(),"),
        ("4.weight", 4, "the outputs of layer 4, Dense(8, 'silu'),"),
        ("6.weight", 5, "the outputs of layer 5, Dense(1),"),
        (None, None, "the loss"),
    ],
)
def test_divergence_names_the_layer_whose_outputs_overflow(rng, rows, threads, name, layer, what):
    X, y = rng.normal(size=(rows, 4)), np.zeros((rows, 1))
    y[rows // 3] = 1e200 if name is None else 0  # its square overflows
    network = fn.Network(LAYERS, seed=1, dtype="float64" if name is None else "float32")
    trainer = fn.Trainer(network, "mean_squared", fn.SGD(1e-3), threads=threads)
    if name is not None:
        network.parameters[name] = np.full(network.parameters[name].shape, 3e38, np.float32)
    before = network.digest()
    with pytest.raises(fn.DivergedError) as caught:
        trainer.step(X, y)
    assert (caught.value.layer, caught.value.what) == (layer, what)
    assert what in str(caught.value)
    assert network.digest() == before
    assert pickle.loads(pickle.dumps(caught.value)).layer == layer


def test_divergence_names_the_layer_whose_parameters_overflow(rng):
    X, y = rng.normal(size=(32, 4)).astype(np.float32), rng.normal(size=(32, 1))
    network = fn.Network([fn.Input(4), fn.Dense(8), fn.Dense(1)], seed=1)
    network.parameters["0.weight"] = np.zeros((8, 4), np.float32)  # so the gradient of the layer above is zero
    network.parameters["1.weight"] = np.full((1, 8), 1e30, np.float32)
    with pytest.raises(fn.DivergedError, match=r"the parameters of layer 1, Dense\(8\), became") as caught:
        fn.Trainer(network, "mean_squared", fn.SGD(1e30)).step(X, y)
    assert caught.value.layer == 1


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


# ------------------------------------------------------------------- progress


def test_progress_shows_epochs_loss_and_accuracy(blobs, make_trainer, capsys):
    X, y = blobs
    make_trainer().fit(X, y, epochs=3, progress=True, validation_data=(X, y))
    shown = capsys.readouterr().err
    assert "epoch 3/3" in shown
    assert "33/33" in shown
    assert "loss=" in shown
    assert "val_accuracy=" in shown


def test_progress_auto_is_silent_outside_of_terminals(blobs, make_trainer, capsys):
    X, y = blobs
    make_trainer().fit(X, y, progress="auto")
    assert capsys.readouterr().err == ""


def test_progress_without_tqdm_says_how_to_get_it(blobs, make_trainer, monkeypatch):
    X, y = blobs
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    trainer = make_trainer()
    with pytest.raises(ImportError, match="pip install tqdm"):
        trainer.fit(X, y, progress=True)
    assert trainer.steps == 0
    trainer.fit(X, y, progress="auto")


# -------------------------------------------------------------- gradient check


def test_gradient_check_passes_on_a_good_network(blobs):
    X, y = blobs
    network = fn.Network([fn.Input(7), fn.Dense(30, "relu"), fn.Dropout(0.3), fn.Dense(20, "mish"), fn.Dense(3)])
    before = network.digest()
    result = fn.gradient_check(network, "cross_entropy", X, y)
    assert list(result) == list(network.parameters)
    assert result.max == max(result.values()) < 1e-6
    assert network.digest() == before
    assert result.items() == fn.gradient_check(network, "cross_entropy", X, y).items()


def test_gradient_check_notices_a_wrong_gradient(blobs, monkeypatch):
    X, y = blobs
    network = fn.Network([fn.Input(7), fn.Dense(5, "tanh"), fn.Dense(3)])

    class Wrong:
        def __init__(self, *arguments):
            self.right = Training(*arguments)

        def gradient(self, *arguments):
            loss, gradients = self.right.gradient(*arguments)
            gradients[0, "weight"][2, 3] *= 1.01
            return loss, gradients

    monkeypatch.setattr("fastnn.gradients.Training", Wrong)
    result = fn.gradient_check(network, "cross_entropy", X, y)
    assert result["0.weight"] == pytest.approx(0.01, rel=0.05)
    assert result["2.weight"] < 1e-6


def test_gradient_check_refuses_a_zero_gradient(blobs):
    X, y = blobs
    network = fn.Network(
        [fn.Input(7), fn.Dense(5, "relu", bias_initializer=fn.initializers.Constant(-1e6)), fn.Dense(3)]
    )
    with pytest.raises(ValueError, match=r"'0.weight' is zero in every entry"):
        fn.gradient_check(network, "cross_entropy", X, y)


# -------------------------------------------------------------- configuration


def test_show_config(capsys):
    fn.show_config()
    shown = capsys.readouterr().out
    for name in ("fastnn", "numerics version", "instruction set", "threads", "compiler", "python", "numpy"):
        assert name in shown
    assert fn.config()["instruction set"] in shown


def test_import_is_light():
    script = "import sys, fastnn; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    for name in ("scipy", "sklearn", "torch", "tqdm", "click", "rich", "matplotlib", "safetensors", "numpy.typing"):
        assert name not in loaded, name


def test_a_call_while_a_run_is_under_way_is_refused_and_changes_nothing(rng):
    X, y = rng.standard_normal((20_000, 64)).astype(np.float32), rng.integers(0, 8, 20_000)
    rates = np.full(20_000 // 32, 1e-3)

    def training():
        network = fn.Network([fn.Input(64), fn.Dense(2048, "relu"), fn.Dense(8)], seed=0)
        return network, fn.Trainer(network, "cross_entropy", threads=1).state.training

    (alone, reference), (network, watched) = training(), training()
    reference.run(X, y, None, None, 32, rates, 1e9)
    thread = threading.Thread(target=watched.run, args=(X, y, None, None, 32, rates, 1e9))
    thread.start()
    while watched.steps == 0:
        time.sleep(1e-3)
    with pytest.raises(RuntimeError, match="another thread"):
        watched.step(X[:8], y[:8], None, 1e-3)
    thread.join()
    assert (watched.steps, watched.position, watched.sums) == (reference.steps, reference.position, reference.sums)
    assert network.digest() == alone.digest()


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


def test_fit_and_step_in_turn_allocate_nothing_anew():
    """The engine's buffers are the largest there are; what Python itself takes is small."""
    X, y = np.random.default_rng(0).normal(size=(600, 20)).astype(np.float32), np.arange(600) % 3
    net = fn.Network([fn.Input(20), fn.Dense(64, "relu"), fn.Dense(3)], seed=0)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(clip_norm=1.0), batch_size=300, threads=2)

    def both():
        trainer.fit(X, y, epochs=1)
        trainer.step(X[:32], y[:32])
        trainer.step(X, y)

    tracemalloc.start()
    try:
        both()
        _, first = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        both()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert first > 400_000, "the engine's memory is not seen: the bound below says nothing"
    assert peak - before < 40_000


@pytest.mark.parametrize("loss", fn.losses.LOSSES)
def test_step_refuses_bad_targets_of_the_right_dtype(loss, dtype):
    """A quick look accepts good targets; every bad one has to fall through to the error that names its place."""
    trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(3)], seed=0, dtype=dtype), loss)
    X, good = np.ones((4, 2), dtype), np.array([[0.0, 1, 0]] * 4, dtype)
    bad = [np.nan, np.inf, -np.inf]
    bad += [-1.0] if trainer.loss.upper is not None else []
    bad += [np.nextafter(np.array(1, dtype), np.array(2, dtype)), 2.0] if trainer.loss.upper == 1 else []
    expected = trainer.step(X, good)
    assert np.isfinite(expected)
    for value in bad:
        y = good.copy()
        y[2, 1] = value
        before = trainer.network.digest()
        with pytest.raises(ValueError, match=r"y must be .* row 2, column 1"):
            trainer.step(X, y)
        assert trainer.network.digest() == before
    trainer.step(X, -0.0 * good)  # a negative zero is a zero


@pytest.mark.parametrize("loss", NUMERIC)
def test_step_takes_targets_of_every_usual_form(loss, dtype):
    """Labels as whole numbers and targets without a column: the update of the same numbers as an (n, 1) array."""
    X, labels = np.linspace(-1, 1, 10).reshape(5, 2).astype(dtype), np.array([1, 0, 0, 1, 1])
    column = labels.astype(dtype)[:, None]
    forms = [column, column[:, 0], labels, labels[:, None], labels.astype(bool), labels.tolist()]
    forms += [np.repeat(column[:, 0], 3)[::3], np.repeat(labels, 3)[::3]]
    digests = set()
    for y in forms:
        trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(1)], seed=0, dtype=dtype), loss)
        trainer.step(X, y)
        digests.add(trainer.network.digest())
    assert len(digests) == 1
    for value in [-1, 2] if trainer.loss.upper == 1 else []:
        labels[3] = value
        with pytest.raises(ValueError, match=r"y must be from 0 to 1 .* row 3"):
            trainer.step(X, labels)


def test_training_holds_the_parameters_four_times_and_a_batch():
    """Weights, their transposed copies (but for the first layer's) and Adam's two moments, at huge pages' starts."""
    rows, width, spare = 64, 2048, 2 << 20
    tracemalloc.start()
    try:
        net = fn.Network([fn.Input(width), fn.Dense(width, "relu"), fn.Dense(10)], seed=0)
        trainer = fn.Trainer(net, "cross_entropy", batch_size=rows, threads=2)
        X, y = np.ones((8 * rows, width), np.float32), np.zeros(8 * rows, np.int64)
        data = X.nbytes + y.nbytes
        trainer.fit(X, y)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    parameters = 4 * net.n_parameters
    tapes = 4 * 2 * rows * (3 * width + 4 * 32)  # inputs, activations and deltas, twice what they need
    assert 3 * parameters < held - data < 4.05 * parameters + 4 * spare + tapes


def test_an_abandoned_fit_leaves_nothing_under_way(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    stop = fn.LambdaCallback(on_step_end=lambda trainer, step: trainer.stop())
    trainer.fit(X, y, callbacks=[stop])
    with pytest.raises(ValueError, match="rows of the epoch that is under way"):
        trainer.fit(X[:50], y[:50])
    trainer.abandon()
    assert (trainer.steps, trainer.epoch, trainer.state.callbacks) == (1, 0, ())
    trainer.fit(X[:50], y[:50])
    assert (trainer.steps, trainer.epoch) == (1 + 5, 1)
    with pytest.raises(RuntimeError, match="abandon cannot be called while this trainer is fitting"):
        trainer.fit(X, y, callbacks=fn.LambdaCallback(on_epoch_end=lambda trainer, *_: trainer.abandon()))


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
