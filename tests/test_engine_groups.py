"""Groups of parameters: a factor of the learning rate and whether penalties apply, tensor by tensor."""

import numpy as np
import pytest
from engine_oracle import MSE, NETWORKS, SGD, bits_of, dense, make_model, net, parameters_of, rates, regression

import fastnn as fn
from fastnn._engine.sparse import SparseMatrix
from fastnn._engine.training import Training

OPTIMIZERS = {name: cls() for name, cls in fn.optimizers.OPTIMIZERS.items()}
OPTIMIZERS |= {
    "clipped sgd": fn.SGD(clip_norm=0.1),
    "penalised momentum": fn.SGD(momentum=0.9, l2=0.1),
    "adamw": fn.AdamW(weight_decay=0.1),
}
WIDE = net(40, dense(35, "relu"), dense(3, "tanh"), dense(17))


def stepped(described, dtype, optimizer, rate=0.125, n=30, groups=None, threads=1, is_sparse=False):
    """The parameters after a step."""
    model, _ = make_model(described, dtype)
    X, y = regression(model, n)
    X[:, 3:] = 0  # few entries, so that sparse rows are taken as they are
    columns, starts = np.tile(np.arange(3, dtype=np.int32), n), np.arange(n + 1, dtype=np.int64) * 3
    rows = SparseMatrix(X[:, :3].ravel(), columns, starts, model.n_inputs) if is_sparse else X
    Training(model, MSE, optimizer.specification(), 0, threads, groups=groups).step(rows, y, None, rate)
    return parameters_of(model)


def same(a, b):
    return a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("n", [1, 30])
def test_half_the_learning_rate_for_one_tensor(isa, dtype, name, n):
    optimizer = OPTIMIZERS[name]
    whole, half = (stepped(WIDE, dtype, optimizer, rate, n) for rate in (0.125, 0.0625))
    for tensor in whole:
        groups = {tensor: {"learning_rate": 0.5}}
        for threads, is_sparse in ((1, False), (2, False), (2, True)):
            found = stepped(WIDE, dtype, optimizer, 0.125, n, groups, threads, is_sparse)
            for key, array in found.items():
                assert same(array, half[key] if key == tensor else whole[key]), key
        assert not same(half[tensor], whole[tensor])


def test_a_learning_rate_of_zero_freezes_a_tensor(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    before = parameters_of(model)
    X, y = regression(model, 40)
    training = Training(model, MSE, fn.Adam().specification(), groups={(1, "weight"): {"learning_rate": 0}})
    training.run(X, y, None, None, 8, rates(5), 100)
    for key, array in parameters_of(model).items():
        assert same(array, before[key]) == (key == (1, "weight"))


@pytest.mark.parametrize(
    "optimizer",
    [fn.SGD(l2=0.1), fn.SGD(l1=0.1), fn.SGD(l2_total=1.0), fn.SGD(weight_decay=0.5), fn.Adam(l1=0.1, l2=0.2)],
    ids=repr,
)
def test_decay_of_one_tensor(isa, dtype, optimizer):
    """Switched off for a matrix, and on for a vector."""
    arguments = {name: getattr(optimizer, name) for name in ("l1", "l2", "l2_total", "weight_decay")}
    kind = type(optimizer)
    usual = stepped(NETWORKS["norms"], dtype, optimizer)
    none = stepped(NETWORKS["norms"], dtype, kind())
    every = stepped(NETWORKS["norms"], dtype, kind(**arguments, decay_all=True))
    for tensor, array in usual.items():
        is_matrix = array.ndim == 2
        other = (none if is_matrix else every)[tensor]
        assert not same(other, array)
        found = stepped(NETWORKS["norms"], dtype, optimizer, groups={tensor: {"decays": not is_matrix}})
        assert all(same(found[key], other if key == tensor else usual[key]) for key in usual)
        found = stepped(NETWORKS["norms"], dtype, optimizer, groups={tensor: {"decays": is_matrix}})
        assert all(same(found[key], usual[key]) for key in usual)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_trainings_with_groups_have_the_same_bits_everywhere(dtype, name):
    groups = {
        (0, "weight"): {"learning_rate": 0.5},
        (0, "bias"): {"decays": True, "learning_rate": 2.0},
        (2, "weight"): {"decays": False},
    }
    found = set()
    for threads in (1, 2, 3, 7):
        model, _ = make_model(WIDE, dtype)
        X, y = regression(model, 50)
        training = Training(model, MSE, OPTIMIZERS[name].specification(), 0, threads, groups)
        training.run(X, y, None, None, 20, rates(3), 100)
        found.add(bits_of(model))
    assert len(found) == 1


def test_as_many_groups_as_there_may_be(dtype):
    """64 have each their own learning rate, and one more is refused."""
    described = net(5, *[dense(5, "tanh")] * 33)
    model, _ = make_model(described, dtype)
    keys = [(operation, kind) for operation, kind, _ in model.tensors]
    assert len(keys) == 66
    # The last three vectors are in a group with the vector before them.
    factors = {key: {"learning_rate": 1 + min(k, 63) / 64, "decays": True} for k, key in enumerate(keys)}
    found = stepped(described, dtype, fn.SGD(), groups=factors)
    for k, key in ((0, keys[0]), (31, keys[31]), (63, keys[63]), (65, keys[65])):
        alone = stepped(described, dtype, fn.SGD(), 0.125 * (1 + min(k, 63) / 64))
        assert same(found[key], alone[key])
    factors[keys[65]] = {"learning_rate": 9.0, "decays": True}
    with pytest.raises(ValueError, match="at most 64 groups"):
        Training(model, MSE, SGD, groups=factors)
