"""Networks to PyTorch and back: the same parameters under the same names, and the same outputs."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks, rows

import fastnn as fn
from fastnn.activations import ActivationKind
from fastnn.layers import ACTIVATIONS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to convert to")
nn = torch.nn

torch.set_num_threads(1)
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def outputs(module, X):
    with torch.no_grad():
        return module(torch.from_numpy(X)).numpy()


def assert_same_outputs(net, module):
    """Equal relative to the largest number that a layer of the network puts out, in which its sums are rounded."""
    X = rows(net)
    ours, theirs = net.predict(X), outputs(module, X)
    assert theirs.dtype == ours.dtype
    assert theirs.shape == ours.shape
    scale = [1.0]
    value = torch.from_numpy(X)
    for part in module if isinstance(module, nn.Sequential) else [module]:
        value = part(value)
        scale.append(float(value.detach().abs().max()))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[net.dtype] * amplification(module) * max(scale))


def amplification(module):
    """By how much a normalisation of units that hardly differ multiplies the rounding of what comes before it."""
    count = sum(isinstance(part, nn.LayerNorm) for part in module.modules())
    return 4.0 if count == 0 else 300.0**count


@settings(max_examples=80, deadline=None)
@given(networks())
def test_there_and_back(net):
    module = net.to_torch()
    assert {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()} == {
        name: array.shape for name, array in net.parameters.items()
    }
    assert_same_outputs(net, module)
    back = fn.Network.from_torch(module)
    assert back.digest() == net.digest()
    np.testing.assert_array_equal(back.predict(rows(net)), net.predict(rows(net)))
    again = back.to_torch()
    assert repr(again) == repr(module)
    assert fn.Network.from_torch(again) == back


MODULES = {
    **{name: getattr(nn, kind.torch) for name, kind in ACTIVATIONS.items() if kind.torch and name != "softmax"},
    "leaky_relu": lambda: nn.LeakyReLU(0.3),
    "elu": lambda: nn.ELU(0.7),
    "dropout": lambda: nn.Dropout(0.4),
    "identity": nn.Identity,
    "flatten": nn.Flatten,
}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(list(MODULES)), max_size=4),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 99),
    st.booleans(),
    st.booleans(),
)
def test_modules_made_in_torch(names, dtype, seed, bias, nested):
    torch.manual_seed(seed)
    parts = [MODULES[name]() for name in names]
    first = [nn.Linear(5, 9, bias=bias), nn.LayerNorm(9, eps=1e-3, elementwise_affine=bias), *parts]
    last = [nn.Linear(9, 4), nn.Softmax(dim=1)]
    module = nn.Sequential(nn.Sequential(*first), nn.Sequential(*last)) if nested else nn.Sequential(*first, *last)
    module = module.to(dtype).eval()
    net = fn.Network.from_torch(module)
    assert net.dtype == str(dtype).split(".")[1]
    assert_same_outputs(net, module)


def test_an_activation_that_torch_has_not_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "stair", ActivationKind())
    net = fn.Network([fn.Input(3), fn.Dense(4, "relu"), fn.Dense(2)])
    layers = [*net.layers[:2], fn.Dense(2, "stair")]
    with pytest.raises(ValueError, match="the activation 'stair' cannot be converted"):
        fn.torch.module_of(layers, net.parameters, net.dtype)


def test_softplus_to_the_last_bit_beyond_the_threshold_of_torch():
    net = fn.Network([fn.Input(1), fn.Dense(1, "softplus")], dtype="float64")
    net.parameters["0.weight"] = [[1.0]]
    X = np.linspace(-50, 50, 401)[:, None]
    np.testing.assert_allclose(net.predict(X), outputs(net.to_torch(), X), rtol=1e-15)


def test_layers_are_read_as_they_are_written():
    module = nn.Sequential(nn.Dropout(0.2), nn.Linear(3, 4), nn.ELU(0.5), nn.ReLU(), nn.LayerNorm(4), nn.Linear(4, 1))
    assert fn.Network.from_torch(module).layers == (
        fn.Input(3),
        fn.Dropout(0.2),
        fn.Dense(4, fn.Activation("elu", 0.5)),
        fn.Activation("relu"),
        fn.LayerNorm(),
        fn.Dense(1),
    )
    assert fn.Network.from_torch(nn.Linear(3, 2)).layers == (fn.Input(3), fn.Dense(2))


def test_a_file_loads_into_the_sequential_by_name(tmp_path):
    from safetensors.torch import load_file

    net = fn.Network([fn.Input(6), fn.Dense(5, "relu"), fn.Dropout(0.1), fn.LayerNorm(), fn.Dense(3)], seed=4)
    net.metadata["purpose"] = "a test"
    net.save(tmp_path / "net.safetensors")
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.1), nn.LayerNorm(5), nn.Linear(5, 3)).eval()
    module.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert_same_outputs(net, module)


def test_the_module_is_a_copy_and_leaves_torchs_random_numbers_alone():
    net = fn.Network([fn.Input(3), fn.Dense(4, "relu"), fn.Dropout(0.5), fn.Dense(2)])
    before, state = net.digest(), torch.get_rng_state()
    module = net.to_torch()
    assert torch.equal(torch.get_rng_state(), state)
    assert not module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    with torch.no_grad():
        module[0].weight.zero_()
    assert net.digest() == before
    back = fn.Network.from_torch(module)
    back.parameters["0.bias"] = np.ones(4)
    assert not module[0].bias.any()


def test_it_trains_on_from_a_module(rng):
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    trainer = fn.Trainer(fn.Network.from_torch(module), "mean_squared", batch_size=10)
    X = rng.normal(size=(40, 3))
    losses = trainer.fit(X, X.sum(axis=1), epochs=20)["loss"]
    assert losses[-1] < losses[0]


def test_subclasses_that_compute_the_same_are_taken():
    class MLP(nn.Sequential):
        def __init__(self):
            super().__init__(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 2))

    module = MLP()
    with torch.no_grad():
        module[0].parametrizations.weight.original0.mul_(3)
    assert_same_outputs(fn.Network.from_torch(module), module)


def patched():
    module = nn.Linear(3, 3)
    module.forward = lambda x: x
    return module


def hooked():
    module = nn.Linear(3, 3)
    module.register_forward_hook(lambda module, args, output: -output)
    return module


def quantized():
    """A layer with the name of PyTorch's own, which is another."""
    cls = type("Linear", (nn.Module,), {"__module__": "torch.ao.nn.quantized"})
    return cls()


def after(*modules):
    return nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Identity(), *modules))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (after(nn.BatchNorm1d(3)), r"module '1\.1', BatchNorm1d: .*in training mode; call \.eval\(\)"),
        (after(nn.BatchNorm1d(3, track_running_stats=False).eval()), r"module '1\.1', BatchNorm1d: .*no running"),
        (after(nn.BatchNorm1d(4).eval()), r"module '1\.1', BatchNorm1d: it must take the 3 units"),
        (after(nn.Unflatten(1, (3, 1))), r"module '1\.1', Unflatten: an Unflatten must leave rows"),
        (after(nn.ReLU6()), r"module '1\.1', ReLU6: fastnn has no such layer"),
        (after(nn.LogSoftmax(1)), r"module '1\.1', LogSoftmax: .*: leave it out, as the loss 'cross_entropy' takes"),
        (after(quantized()), r"module '1\.1', Linear: it is no module of torch\.nn, but of .*quantized"),
        (after(nn.LazyLinear(3)), r"module '1\.1', LazyLinear: .*no values yet; call the module once on a batch"),
        (after(nn.Linear(3, 1), nn.Flatten(0), nn.Linear(1, 1)), r"module '1\.3', Linear: .*one dimension"),
        (after(nn.GELU(approximate="tanh")), r"module '1\.1', GELU: .*approximate='tanh'"),
        (after(nn.Softplus(beta=2)), r"module '1\.1', Softplus: .*beta=2"),
        (after(nn.Softplus(threshold=3)), r"module '1\.1', Softplus: .*threshold=3"),
        (after(nn.Softmax(dim=0)), r"module '1\.1', Softmax: .*dim=0"),
        (after(nn.Softmax(dim=1), nn.Linear(3, 3)), r"module '1\.2', Linear: it follows a softmax"),
        (after(nn.Linear(4, 3)), r"module '1\.1', Linear: it must take the 3 units .*takes 4"),
        (after(nn.LayerNorm((3, 3))), r"module '1\.1', LayerNorm: normalized_shape must be one number"),
        (after(nn.LayerNorm(4)), r"module '1\.1', LayerNorm: it must take the 3 units"),
        (after(nn.LayerNorm(3, eps=0.0)), r"module '1\.1', LayerNorm: LayerNorm epsilon"),
        (after(nn.Dropout(1.0)), r"module '1\.1', Dropout: Dropout rate"),
        (after(nn.AlphaDropout(0.1)), r"module '1\.1', AlphaDropout: fastnn has no such layer"),
        (after(nn.LeakyReLU(-0.1)), r"module '1\.1', LeakyReLU: alpha must be"),
        (after(nn.Flatten(0)), r"module '1\.1', Flatten: "),
        (after(nn.Linear(3, 3).double()), r"module '1\.1', Linear: its parameters must be float32 like"),
        (after(nn.Linear(3, 3).bfloat16()), r"module '1\.1', Linear: .*are torch\.bfloat16: use module\.float\(\)"),
        (after(nn.Linear(3, 3, device="meta")), r"module '1\.1', Linear: its parameters must have values"),
        (after(patched()), r"module '1\.1', Linear: its forward pass has been replaced"),
        (after(hooked()), r"module '1\.1', Linear: its forward hooks"),
        (nn.Sequential(nn.Conv1d(1, 1, 1)), r"module '0', Conv1d: fastnn has no such layer"),
        (nn.ModuleList([nn.Linear(2, 2)]), r"the module, ModuleList: .*pass a torch\.nn\.Sequential"),
        (nn.Sequential(), r"at least one Linear"),
        (nn.Sequential(nn.LayerNorm(3), nn.ReLU()), r"at least one Linear"),
    ],
)
def test_what_fastnn_does_not_have_is_refused_by_name(module, message):
    with pytest.raises(ValueError, match=message):
        fn.Network.from_torch(module)


def test_what_is_not_a_module_or_not_finite_is_refused():
    with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Module; got dict"):
        fn.Network.from_torch(nn.Linear(2, 2).state_dict() and {})
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.bias[1] = float("nan")
    with pytest.raises(ValueError, match=r"'0\.bias' must be finite; got nan in row 1"):
        fn.Network.from_torch(module)


def test_without_torch_the_error_says_how_to_get_it():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import fastnn as fn\n"
        "net = fn.Network([fn.Input(1), fn.Dense(1)])\n"
        "for call in (net.to_torch, lambda: fn.Network.from_torch(net)):\n"
        "    try: call()\n"
        "    except ImportError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.count("pip install torch") == 2
