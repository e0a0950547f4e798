"""Forward passes that users write: read where they are layers in sequence, else refused with what to pass."""

import itertools

import numpy as np
import pytest

import fastnn as fn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to convert from")
nn, F = torch.nn, torch.nn.functional

torch.set_num_threads(1)


def module_of(forward, dtype=torch.float32, **parts):
    """An object of a class with this forward pass."""
    cls = type("Net", (nn.Module,), {"forward": forward})
    module = cls()
    for name, part in parts.items():
        if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
            module.register_buffer(name, part)
        else:
            setattr(module, name, part)
    return module.to(dtype).eval()


def read(module, features=5, dtype="float32", rows=7):
    """Read a module, and compare the outputs."""
    X = np.random.default_rng(3).normal(size=(rows, features)).astype(dtype)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    net = fn.Network.from_torch(module)
    with torch.no_grad():
        expected = module(torch.from_numpy(X)).numpy()
    assert net.dtype == dtype
    assert expected.shape in (net.predict(X).shape, (rows,))
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(net.predict(X).reshape(expected.shape), expected, rtol=tolerance, atol=tolerance)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    return net


def parts(*sizes):
    torch.manual_seed(1)
    return {f"fc{k}": nn.Linear(a, b) for k, (a, b) in enumerate(itertools.pairwise(sizes), 1)}


def statistics(units):
    """A batch normalisation that has seen batches."""
    torch.manual_seed(2)
    norm = nn.BatchNorm1d(units)
    for _ in range(3):
        norm(torch.randn(20, units) * 3 + 1)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    return norm


FORWARDS = {
    "functions": (lambda self, x: self.fc2(F.relu(self.fc1(x))), {}),
    "methods": (lambda self, x: torch.sigmoid(self.fc2(self.fc1(x).tanh())), {}),
    "rows flattened": (lambda self, x: self.fc2(torch.relu(self.fc1(x.view(x.size(0), -1)))), {}),
    "rows by shape": (lambda self, x: self.fc2(F.gelu(self.fc1(x).reshape(x.shape[0], -1))), {}),
    "dropout by function": (
        lambda self, x: self.fc2(F.dropout(F.silu(self.fc1(x)), 0.3, training=self.training)),
        {},
    ),
    "scaled": (lambda self, x: 2 * self.fc2(F.elu(self.fc1(x / 255.0 - 0.5), 0.7)) + 1, {}),
    "turned round": (lambda self, x: 1 - self.fc2(F.leaky_relu(-self.fc1(x), 0.2)), {}),
    "standardised": (
        lambda self, x: self.fc2(F.softplus(self.fc1((x - self.m) / self.s))),
        {"m": torch.arange(5.0), "s": torch.arange(1.0, 6.0)},
    ),
    "batch normalisation": (
        lambda self, x: self.fc2(F.relu(self.b(self.fc1(self.a(x))))),
        {"a": statistics(5), "b": statistics(9)},
    ),
    "between activations": (
        lambda self, x: self.fc2(F.relu(self.b(F.relu(self.fc1(x))) * 2)),
        {"b": statistics(9)},
    ),
    "a layer of its own": (lambda self, x: torch.tanh(torch.relu(self.fc2(self.fc1(x))) * 0.5 + 1), {}),
    "computed weights": (lambda self, x: self.fc2(F.linear(x, self.w * self.k, self.v)), {
        "w": nn.Parameter(torch.randn(9, 5)), "k": torch.tensor(0.5), "v": nn.Parameter(torch.randn(9)),
    }),
    "products": (lambda self, x: x @ self.w.T + self.v, {
        "w": nn.Parameter(torch.randn(9, 5)), "v": nn.Parameter(torch.randn(1, 9)),
    }),
    "norms by function": (
        lambda self, x: self.fc2(F.layer_norm(self.fc1(x), (9,), self.g, self.h, 1e-3) * self.h + 1),
        {"g": nn.Parameter(torch.rand(9)), "h": nn.Parameter(torch.randn(9))},
    ),
    "a norm without gain, scaled": (lambda self, x: self.fc2(F.rms_norm(self.fc1(x), (9,)) * 3), {}),
    "softmax": (lambda self, x: F.softmax(self.fc2(F.selu(self.fc1(x))), dim=1), {}),
    "clamped": (lambda self, x: self.fc2(self.fc1(x).clamp(min=0)), {}),
    "an optional argument": (lambda self, x, mask=None: self.fc2(F.mish(self.fc1(x))), {}),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORWARDS)
def test_forward_passes_that_are_sequences(name, dtype):
    forward, more = FORWARDS[name]
    torch.manual_seed(0)
    more = {key: part.clone() if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter) else part
            for key, part in more.items()}  # fmt: skip
    read(module_of(forward, getattr(torch, dtype), **parts(5, 9, 3), **more), dtype=dtype)


def test_layers_that_a_forward_pass_comes_to():
    forward, _ = FORWARDS["dropout by function"]
    net = fn.Network.from_torch(module_of(forward, **parts(5, 9, 3)))
    assert net.layers == (fn.Input(5), fn.Dense(9, "silu"), fn.Dropout(0.3), fn.Dense(3))
    forward, more = FORWARDS["batch normalisation"]
    assert read(module_of(forward, **parts(5, 9, 3), **more)).layers == (fn.Input(5), fn.Dense(9, "relu"), fn.Dense(3))
    forward, more = FORWARDS["between activations"]
    net = read(module_of(forward, **parts(5, 9, 3), **more))
    assert net.layers == (fn.Input(5), fn.Dense(9, "relu"), fn.Dense(9, "relu"), fn.Dense(3))
    weight = net.parameters["2.weight"]
    assert np.array_equal(weight, np.diag(np.diag(weight)))


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.fc1(x).squeeze(-1),
        lambda self, x: torch.squeeze(self.fc1(x), 1) * 3 + 1,
        lambda self, x: self.fc1(x).flatten(),
        lambda self, x: torch.sigmoid(self.fc1(x).view(-1)),
        lambda self, x: self.fc1(x).squeeze(1).unsqueeze(-1) / 2,
    ],
)
def test_rows_of_one_unit_may_become_one_dimension(forward):
    assert read(module_of(forward, **parts(5, 1))).n_outputs == 1


def test_classes_within_classes():
    inner = module_of(lambda self, x: F.relu(self.fc1(x)), **parts(5, 9))
    block = nn.Sequential(inner, nn.Sequential(nn.Linear(9, 4), nn.Identity(), nn.Unflatten(1, (4,))))
    layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2)])

    def forward(self, x):
        x = self.block(x)
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x

    outer = module_of(forward, block=block, layers=layers)
    net = read(outer)
    assert [repr(layer) for layer in net.layers[1:]] == [
        "Dense(9, 'relu')",
        "Dense(4)",
        "Dense(4, 'tanh')",
        "Dense(2, 'tanh')",
    ]
    read(module_of(lambda self, x: self.net(x), net=outer))
    outer.layers[0].double()
    with pytest.raises(ValueError, match=r"module '1\.layers\.0', Linear: its parameters must be float32 like"):
        fn.Network.from_torch(nn.Sequential(nn.Identity(), outer))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrapped_modules():
    module = nn.Sequential(nn.Linear(5, 3), nn.ReLU())
    digest = fn.Network.from_torch(module).digest()
    inside = module_of(lambda self, x: self.net(x), net=torch.compile(module))
    for wrapped in (torch.compile(module), nn.DataParallel(module), nn.Sequential(nn.DataParallel(module)), inside):
        assert fn.Network.from_torch(wrapped).digest() == digest
    assert fn.Network.from_torch(torch.fx.symbolic_trace(module)).digest() == digest
    lazy = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    lazy(torch.zeros(2, 5))
    read(lazy)


def test_reading_leaves_the_module_alone():
    def forward(self, x):
        self.seen = self.fc1(x)
        self.calls += 1
        return torch.relu(self.seen)

    module = module_of(forward, calls=torch.zeros(()), **parts(5, 3))
    assert fn.Network.from_torch(module).layers == (fn.Input(5), fn.Dense(3, "relu"))
    assert not hasattr(module, "seen")
    assert module.calls == 0


def test_a_layer_called_by_the_name_of_its_input():
    module = module_of(lambda self, x: self.fc2(input=self.fc1(input=x)), **parts(5, 3, 2))
    assert fn.Network.from_torch(module).layers == (fn.Input(5), fn.Dense(3), fn.Dense(2))


REFUSED = {
    "a skip": (lambda self, x: x + self.fc1(x), r"no sequence: add takes what came before"),
    "two heads": (lambda self, x: (self.fc1(x), x), r"no sequence|has 2 outputs"),
    "two outputs": (lambda self, x: (self.fc1(x), 1), r"forward pass has 2 outputs; pass a torch\.nn\.Sequential, or"),
    "a dict": (lambda self, x: {"logits": self.fc1(x)}, r"forward pass gives its output in a dict; pass"),
    "what depends on values": (lambda self, x: self.fc1(x) if x.sum() > 0 else x, r"fastnn has no|cannot be followed"),
    "a function": (lambda self, x: torch.cos(self.fc1(x)), r"fastnn has no layer that computes cos"),
    "ReLU6": (lambda self, x: F.relu6(self.fc1(x)), r"no layer that computes relu6, ReLU between 0 and 6"),
    "a hint": (lambda self, x: F.log_softmax(self.fc1(x), 1), r"log_softmax: leave it out, as the loss"),
    "a tanh GELU": (lambda self, x: F.gelu(self.fc1(x), approximate="tanh"), r"approximate='tanh'"),
    "clamped": (lambda self, x: self.fc1(x).clamp(-1, 1), r"no activation that clamps between -1 and 1"),
    "a division": (lambda self, x: 1 / self.fc1(x), r"no layer for a number divided by"),
    "a rounded division": (lambda self, x: torch.div(self.fc1(x), 2, rounding_mode="floor"), r"options of this div"),
    "wide numbers": (lambda self, x: self.fc1(x) * torch.ones(5, dtype=torch.float64), r"must be float32 like"),
    "a number for each row": (lambda self, x: self.fc1(x) * torch.ones(5, 1), r"one number, or one for each unit"),
    "rows cut": (lambda self, x: self.fc1(x).view(-1, 2), r"it must leave rows as they are; its shape is \(-1, 2\)"),
    "the number of rows": (lambda self, x: self.fc1(x) / x.size(0), r"number or a tensor; got Size|must be a number"),
    "the number of features": (lambda self, x: self.fc1(x / x.shape[1]), r"a number or a tensor; got Size"),
    "in place": (lambda self, x: [self.fc1(x).relu_(), x][1], r"which nothing takes"),
    "in place, unused": (lambda self, x: (self.fc1(x), x.mul_(2))[0], r"no sequence|which nothing takes"),
    "squeezed": (lambda self, x: self.fc1(x).squeeze(-1), r"only rows of one unit can become one dimension"),
    "training": (lambda self, x: F.batch_norm(self.fc1(x), None, None, training=True), r"call \.eval\(\)"),
    "after one dimension": (
        lambda self, x: self.fc2(self.fc1(x).sum(1)),
        r"no layer that computes sum",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sequence_is_refused(name):
    forward, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        fn.Network.from_torch(module_of(forward, **parts(5, 5, 5)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_errors_say_what_to_pass():
    actor = module_of(
        lambda self, x: (self.actor(self.body(x)), self.critic(self.body(x))),
        body=nn.Sequential(nn.Linear(5, 4), nn.Tanh()),
        actor=nn.Linear(4, 2),
        critic=nn.Linear(4, 1),
    )
    with pytest.raises(ValueError, match=r"the module, Net: its forward pass .*such as module\.body"):
        fn.Network.from_torch(actor)
    traced = torch.jit.trace(nn.Linear(5, 2), torch.zeros(1, 5))
    with pytest.raises(ValueError, match=r"the module, .*traced or scripted; pass the module that it was made of"):
        fn.Network.from_torch(traced)
    within = module_of(lambda self, x: self.net(x), net=torch.jit.script(nn.Sequential(nn.Linear(5, 2))))
    with pytest.raises(ValueError, match=r"module 'net', .*traced or scripted"):
        fn.Network.from_torch(within)
