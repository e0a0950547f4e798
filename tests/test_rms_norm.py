"""`fastnn.RMSNorm`: its kernels beside a formula in long double, and the layer beside PyTorch's."""

import numpy as np
import pytest
from kernels import kernels, pack, unpack
from test_kernels_normalization import DTYPES, EPSILON, ISAS, builds, problem, sizes, vector

import fastnn as fn


def normalised(x, epsilon=1e-5):
    """x over its root mean square, and that."""
    x = x.astype(np.longdouble)
    scale = np.sqrt((x * x).mean(axis=1, keepdims=True) + epsilon)
    return x / scale, scale


def forward(isa, x, gain, r0=0, r1=None):
    """y as panels, and the statistics. What must not be read holds a NaN; what must not be written stays 77."""
    k, (rows, n) = kernels(isa, x.dtype.name), x.shape
    panels = pack(x, k.panel, fill=np.nan)
    y, statistics = np.full_like(panels, 77), np.full((rows, 2), 77.0)
    r1 = rows if r1 is None else r1
    k.normalization.rms_norm_forward(panels, vector(gain, k.panel), y, statistics, rows, n, r0, r1, 1e-5)
    return y, statistics


def backward(isa, x, gain, statistics, dy, r0=0, r1=None, in_place=False):
    k, (rows, n) = kernels(isa, x.dtype.name), x.shape
    panels, dy = pack(x, k.panel, fill=np.nan), pack(dy, k.panel)
    dx = dy if in_place else np.full_like(dy, 77)
    r1 = rows if r1 is None else r1
    k.normalization.rms_norm_backward(panels, vector(gain, k.panel), statistics, dy, dx, rows, n, r0, r1)
    return dx


@builds
def test_forward(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in sizes(panel):
        x, gain, _, _ = problem(dtype, 5, n)
        y, statistics = forward(isa, x, gain, 1, 4)
        xhat, scale = normalised(x)
        expected = (xhat * gain)[1:4].astype(np.float64)
        np.testing.assert_allclose(unpack(y, n)[1:4], expected, rtol=4 * EPSILON[dtype], atol=0)
        np.testing.assert_allclose(statistics[1:4, 1], (1 / scale[1:4, 0]).astype(float), rtol=1e-14)
        assert (statistics[1:4, 0] == 0).all()
        assert (unpack(y, y.shape[0] * panel)[1:4, n:] == 0).all()
        assert (y[:, [0, 4]] == 77).all()
        assert (statistics[[0, 4]] == 77).all()


@builds
def test_backward(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in sizes(panel):
        x, gain, _, dy = problem(dtype, 5, n)
        _, statistics = forward(isa, x, gain)
        dx = backward(isa, x, gain, statistics, dy, 1, 4)
        (xhat, scale), g = normalised(x), dy.astype(np.longdouble) * gain
        expected = ((g - xhat * (g * xhat).mean(axis=1, keepdims=True)) / scale)[1:4].astype(np.float64)
        np.testing.assert_allclose(unpack(dx, n)[1:4], expected, rtol=2 * EPSILON[dtype], atol=1e-13)
        assert (unpack(dx, dx.shape[0] * panel)[1:4, n:] == 0).all()
        assert (dx[:, [0, 4]] == 77).all()
        in_place = backward(isa, x, gain, statistics, dy, in_place=True)
        np.testing.assert_array_equal(in_place[:, 1:4], dx[:, 1:4])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 10, 37, 131])
def test_every_instruction_set_gives_the_same_bits(dtype, n):
    x, gain, _, dy = problem(dtype, 70, n)
    results = []
    for isa in ISAS:
        y, statistics = forward(isa, x, gain)
        results.append((unpack(y, n), statistics, unpack(backward(isa, x, gain, statistics, dy), n)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


def test_a_row_of_zeros_is_zero():
    y, _ = forward(ISAS[0], np.zeros((2, 37), np.float32), np.ones(37, np.float32))
    assert (unpack(y, 37) == 0).all()


# --------------------------------------------------------------------- the layer

LAYERS = [fn.Input(9), fn.RMSNorm(), fn.Dense(12, "tanh"), fn.RMSNorm(0.1), fn.Dense(4), fn.RMSNorm()]


def network(dtype):
    net = fn.Network(LAYERS, seed=3, dtype=dtype)
    for number, (name, array) in enumerate(net.parameters.items()):
        if array.ndim == 1:
            net.parameters[name] = array + 0.3 * np.random.default_rng(number).normal(size=array.shape)
    return net


def test_the_gain_is_its_one_parameter():
    net = fn.Network(LAYERS)
    assert [name for name in net.parameters if net.parameters[name].ndim == 1] == [
        "0.weight",
        "1.bias",
        "3.weight",
        "4.bias",
        "5.weight",
    ]
    assert (net.parameters["0.weight"] == 1).all()
    assert net.n_parameters == 9 + 10 * 12 + 12 + 13 * 4 + 4


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_training_like_pytorch(dtype, threads):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    from mirror import torch_network

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(130, 9)).astype(dtype), rng.normal(size=(130, 4)).astype(dtype)
    net = network(dtype)
    reference = torch_network(net)
    optimizer = torch.optim.Adam(reference.parameters(), lr=3e-3)
    trainer = fn.Trainer(net, "mean_squared", fn.Adam(3e-3), batch_size=64, shuffle=False, threads=threads)
    trainer.fit(X, y, epochs=5)
    for _ in range(5):
        for start in range(0, 130, 64):
            rows = slice(start, start + 64)
            loss = torch.nn.functional.mse_loss(reference(torch.from_numpy(X[rows])), torch.from_numpy(y[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for name, tensor in reference.state_dict().items():
        np.testing.assert_allclose(
            net.parameters[name], tensor.numpy(), rtol=1e-9 if dtype == "float64" else 2e-4, atol=1e-6
        )


def test_gradients():
    rng = np.random.default_rng(1)
    check = fn.gradient_check(network("float64"), "mean_squared", rng.normal(size=(20, 9)), rng.normal(size=(20, 4)))
    assert check.max < 1e-6


def test_saved_and_resumed(tmp_path, dtype):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(50, 9)).astype(dtype), rng.normal(size=(50, 4)).astype(dtype)
    whole, first = (fn.Trainer(network(dtype), "huber", "adam", batch_size=16) for _ in range(2))
    whole.fit(X, y, epochs=4)
    first.fit(X, y, epochs=2)
    first.save(tmp_path / "half.safetensors")
    second = fn.Trainer.load(tmp_path / "half.safetensors")
    second.fit(X, y, epochs=2)
    assert second.network.digest() == whole.network.digest()


def test_from_pytorch_without_a_gain_or_an_epsilon():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    module = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.RMSNorm(8), torch.nn.RMSNorm(8, elementwise_affine=False), torch.nn.Linear(8, 2)
    )
    net = fn.Network.from_torch(module)
    assert net.layers[2].epsilon == torch.finfo(torch.float32).eps
    X = np.random.default_rng(3).normal(size=(7, 5)).astype(np.float32)
    np.testing.assert_allclose(net.predict(X), module(torch.from_numpy(X)).detach(), rtol=1e-5, atol=1e-6)


def test_from_an_onnx_operator():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from fastnn.onnx.reader import read_network

    gain, weight = np.array([1.0, 2.0, 0.5], np.float32), np.ones((3, 2), np.float32)
    nodes = [
        onnx.helper.make_node("RMSNormalization", ["x", "gain"], ["h"], axis=-1, epsilon=0.01),
        onnx.helper.make_node("Gemm", ["h", "weight"], ["y"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 2])],
        [onnx.numpy_helper.from_array(gain, "gain"), onnx.numpy_helper.from_array(weight, "weight")],
    )
    net = read_network(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)]))
    assert net.layers == (fn.Input(3), fn.RMSNorm(0.01), fn.Dense(2))
    X = np.array([[1.0, -2.0, 3.0]], np.float32)
    expected = (normalised(X, 0.01)[0] * gain) @ weight
    np.testing.assert_allclose(net.predict(X), expected.astype(float), rtol=1e-6)
