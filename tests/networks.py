"""Networks of every kind, for tests by hypothesis."""

import numpy as np
from hypothesis import strategies as st

import fastnn as fn
from fastnn.layers import ACTIVATIONS

INSIDE = [name for name in ACTIVATIONS if name != "softmax"]
SIZES = st.integers(1, 19)


@st.composite
def activations(draw):
    """Of any kind that may stand inside a network, some with a parameter of their own."""
    name = draw(st.sampled_from(INSIDE))
    alpha = None if ACTIVATIONS[name].alpha is None else draw(st.sampled_from([None, 0.0, 0.25, 1.5]))
    return fn.Activation(name, alpha)


@st.composite
def layers(draw):
    """An input and up to six layers, one of them dense; sometimes a softmax at the end."""
    others = st.one_of(
        st.builds(fn.Dense, SIZES, activations()),
        st.builds(fn.Dropout, st.sampled_from([0.0, 0.3])),
        st.builds(fn.LayerNorm, st.sampled_from([1e-5, 1e-2])),
        st.builds(fn.RMSNorm, st.sampled_from([1e-5, 1e-2])),
        activations(),
    )
    before, after = draw(st.lists(others, max_size=3)), draw(st.lists(others, max_size=2))
    last = [fn.Activation("softmax")] if draw(st.booleans()) else []
    return [fn.Input(draw(SIZES)), *before, draw(st.builds(fn.Dense, SIZES, activations())), *after, *last]


@st.composite
def networks(draw):
    """Networks of either dtype whose biases and gains are numbers like any other."""
    net = fn.Network(draw(layers()), seed=draw(st.integers(0, 99)), dtype=draw(st.sampled_from(["float32", "float64"])))
    rng = np.random.default_rng(net.seed)
    for name, array in net.parameters.items():
        if array.ndim == 1:
            net.parameters[name] = array + 0.3 * rng.normal(size=array.shape)
    return net


def rows(net, n=23, scale=3.0):
    """Rows to predict, some of them far from 0."""
    X = np.random.default_rng(net.seed + 1).normal(size=(n, net.n_features))
    X[::5] *= scale
    return X.astype(net.dtype)
