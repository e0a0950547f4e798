"""Training that diverges: the error names the place, and the parameters stay finite."""

import pickle

import numpy as np
import pytest

import fastnn as fn


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
