"""Looking into a network: the outputs of its layers, dead units, and the gradient of a loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn import gradients, inspection

torch = pytest.importorskip("torch")

ACTIVATIONS = [name for name in fn.layers.ACTIVATIONS if name != "softmax"]


def deep(dtype="float64", seed=2):
    layers = [
        *(fn.Input(7), fn.LayerNorm(), fn.Dropout(0.5), fn.Dense(13, "relu"), fn.Dropout(0.2), fn.Dense(5)),
        *(fn.Activation("leaky_relu", 0.3), fn.Activation("identity"), fn.LayerNorm(), fn.Activation("tanh")),
        fn.Dense(3, "softmax"),
    ]
    return fn.Network(layers, seed=seed, dtype=dtype)


def by_torch(network, X):
    """Outputs of the modules of the equivalent ``torch.nn.Sequential``, in float64."""
    p = {name: torch.tensor(array).double() for name, array in network.parameters.items()}
    f = torch.nn.functional
    x = torch.tensor(X).double()
    found = {1: f.layer_norm(x, (7,), p["0.weight"], p["0.bias"])}
    found[2] = found[1]
    found[3] = f.relu(f.linear(found[2], p["2.weight"], p["2.bias"]))
    found[4] = found[3]
    found[5] = f.linear(found[4], p["5.weight"], p["5.bias"])
    found[6] = f.leaky_relu(found[5], 0.3)
    found[7] = found[6]
    found[8] = f.layer_norm(found[7], (5,), p["7.weight"], p["7.bias"])
    found[9] = torch.tanh(found[8])
    found[10] = f.softmax(f.linear(found[9], p["9.weight"], p["9.bias"]), dim=1)
    return {place: outputs.numpy() for place, outputs in found.items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
def test_each_layer_as_in_torch(rng, dtype, tolerance):
    network = deep(dtype)
    X = rng.normal(size=(103, 7)).astype(dtype)
    found = inspection.activations(network, X)
    expected = by_torch(network, X)
    assert found.keys() == expected.keys()
    for place, outputs in found.items():
        assert outputs.dtype == dtype
        np.testing.assert_allclose(outputs, expected[place], rtol=0, atol=tolerance * 10)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 70),
    units=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    activation=st.sampled_from(ACTIVATIONS),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_the_last_layer_is_what_the_network_predicts(n, units, activation, dtype):
    network = fn.Network([fn.Input(5), *(fn.Dense(u, activation) for u in units)], seed=n, dtype=dtype)
    X = np.random.default_rng(n).normal(size=(n, 5)).astype(dtype)
    found = inspection.activations(network, X)
    assert [outputs.shape for outputs in found.values()] == [(n, u) for u in units]
    assert np.array_equal(found[len(units)], network.predict(X))


def test_the_network_stays_as_it_is(rng):
    network = deep()
    before = network.digest()
    X = rng.normal(size=(9, 7))
    for outputs in inspection.activations(network, X).values():
        outputs[:] = 7
    inspection.dead_units(network, rng.normal(size=(9, 7)))
    assert network.digest() == before


def test_dead_units_are_exactly_those_that_are_0_in_every_row(rng):
    network = fn.Network([fn.Input(4), fn.Dense(50, "relu"), fn.Dropout(0.5), fn.Dense(9), fn.Activation("relu")])
    dead = {1: [0, 7, 8, 9, 49], 4: [2]}
    for name, place in (("0.bias", 1), ("3.bias", 4)):
        bias = network.parameters[name].copy()
        bias[dead[place]] = -1e4
        bias[[i for i in range(len(bias)) if i not in dead[place]]] = 20 if place == 1 else 1e4
        network.parameters[name] = bias
    found = inspection.dead_units(network, rng.normal(size=(10_001, 4)))
    assert {place: units.tolist() for place, units in found.items()} == {**dead, 3: []}


def test_a_unit_that_lives_in_one_row_of_many_is_alive():
    network = fn.Network([fn.Input(1), fn.Dense(2, "relu")])
    network.parameters.update({"0.weight": [[1.0], [1.0]], "0.bias": [-5.0, -50.0]})
    X = np.zeros((9000, 1), np.float32)
    for row in (0, 4095, 4096, 8999):
        X[:] = 0
        X[row] = 6
        assert inspection.dead_units(network, X)[1].tolist() == [1]


@pytest.mark.parametrize("function", [inspection.activations, inspection.dead_units])
def test_bad_input(function):
    with pytest.raises(TypeError, match="network must be a Network; got str 'x'"):
        function("x", np.zeros((2, 7)))
    with pytest.raises(ValueError, match="X must have 7 features a row; got 3"):
        function(deep(), np.zeros((2, 3)))
    with pytest.raises(TypeError, match="X must be a dense array; got a sparse csr_array: use"):
        function(deep(), pytest.importorskip("scipy.sparse").csr_array((2, 7)))
    with pytest.raises(ValueError, match="X must be finite; got nan in row 1, column 0"):
        function(deep(), np.array([[0.0] * 7, [np.nan] * 7]))


# -------------------------------------------------------------------- gradient


def test_gradient_as_in_torch(rng):
    network = fn.Network([fn.Input(7), fn.Dense(13, "tanh"), fn.Dense(3)], seed=4, dtype="float64")
    X, y, weight = rng.normal(size=(103, 7)), rng.integers(0, 3, 103), rng.uniform(0.1, 2, 103)
    modules = torch.nn.Sequential(torch.nn.Linear(7, 13), torch.nn.Tanh(), torch.nn.Linear(13, 3)).double()
    modules.load_state_dict({name: torch.tensor(array) for name, array in network.parameters.items()})
    losses = torch.nn.functional.cross_entropy(modules(torch.tensor(X)), torch.tensor(y), reduction="none")
    ((losses * torch.tensor(weight)).sum() / weight.sum()).backward()
    found = gradients.gradient(network, "cross_entropy", X, y, weight)
    assert list(found) == list(network.parameters)
    for name, parameter in modules.named_parameters():
        np.testing.assert_allclose(found[name], parameter.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_of_gradient_descent_goes_along_the_gradient(rng, dtype):
    """With dropout: the masks are those of the trainer's first update. A rate of 1 makes the step exact."""
    network = deep(dtype)
    X, y = rng.normal(size=(40, 7)).astype(dtype), rng.integers(0, 3, 40)
    before = network.digest()
    found = gradients.gradient(network, "cross_entropy", X, y, seed=11)
    assert network.digest() == before
    expected = {name: array - found[name] for name, array in network.parameters.items()}
    fn.Trainer(network, "cross_entropy", fn.SGD(1.0), seed=11).step(X, y)
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(array, expected[name], strict=True)


def test_gradient_with_bad_input():
    with pytest.raises(TypeError, match="network must be a Network"):
        gradients.gradient(None, "cross_entropy", np.zeros((2, 7)), [0, 1])
    with pytest.raises(ValueError, match="loss must be one of"):
        gradients.gradient(deep(), "cross entropy", np.zeros((2, 7)), [0, 1])
    with pytest.raises(ValueError, match="y must have as many rows as X, 2; got 1"):
        gradients.gradient(deep(), "cross_entropy", np.zeros((2, 7)), [0])
