"""How a run ends and goes on: time limits, `stop`, Ctrl-C, and calls while it is under way."""

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastnn as fn


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
