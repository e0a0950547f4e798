"""The golden digests cover every kernel, layer, loss, optimizer, schedule and metric."""

import copy
from types import SimpleNamespace

import pytest
from kernels import KERNEL_STRUCTS, LISTS, STRUCTS, kernels

import fastnn as fn
from fastnn._runtime import instruction_sets
from fastnn._verify import function_cases, goldens, network_cases

DIGESTS = goldens.read()
DTYPES = ("float32", "float64")


def noting(function, name, called):
    def call(*arguments):
        called.add(name)
        return function(*arguments)

    return call


def recorded(given, called):
    """The kernels, which note in ``called`` that they were."""
    result = SimpleNamespace(**vars(given))
    for module in KERNEL_STRUCTS:
        table = noted(getattr(given, module), module, called)
        table.entries = {name: noted(entry, module, called) for name, entry in table.entries.items()}
        setattr(result, module, table)
    return result


def noted(table, module, called):
    result = copy.copy(table)
    for field, value in vars(table).items():
        if callable(value):
            setattr(result, field, noting(value, f"{module}.{field}", called))
    return result


@pytest.mark.parametrize("cases", goldens.KERNELS, ids=["dense", "rows", "elements", "sparse"])
def test_every_case_calls_the_kernel_that_it_names(cases):
    called = set()
    for function in cases._functions.values():
        function(recorded(kernels(instruction_sets.current(), "float32"), called))
    assert called == cases.fields


def test_every_entry_of_every_table_has_goldens():
    for module, struct in (*KERNEL_STRUCTS.items(), *LISTS.items()):
        for field, kind in STRUCTS[struct]:
            names = [name for name in DIGESTS if name.startswith((f"{module}/{field}/", f"{module}/{field} "))]
            assert bool(names) == isinstance(kind, tuple), f"{module}.{field}"


def test_every_kind_of_the_tables_has_goldens():
    k = kernels(instruction_sets.current(), "float32")
    for kind in k.activations.entries:
        direction = "softmax_forward" if kind == "softmax" else f"forward {kind}"
        for dtype in DTYPES:
            assert f"activations/{direction}/{dtype}" in DIGESTS
            assert f"activations/{direction.replace('forward', 'backward')}/{dtype}" in DIGESTS
    for table, prefix in ((k.losses, "losses/loss"), (k.optimizers, "optimizers/update")):
        for kind in table.entries:
            for dtype in DTYPES:
                found = [n for n in DIGESTS if n.startswith(f"{prefix} {kind}") and n.endswith(dtype)]
                assert found, kind


def test_everything_is_in_some_network():
    for dtype in DTYPES:
        trainers = [training.trainer for training in network_cases.built(dtype, 1).values()]
        layers = [layer for trainer in trainers for layer in trainer.network.layers]
        described = {
            fn.layers.activation_of(layer).name for layer in layers if isinstance(layer, (fn.Dense, fn.Activation))
        }
        assert described == set(fn.layers.ACTIVATIONS)
        assert {type(layer) for layer in layers} == set(fn.layers.LAYERS)
        assert {trainer.loss.kind for trainer in trainers} == set(fn.losses.LOSSES)
        assert {type(trainer.optimizer) for trainer in trainers} == set(fn.optimizers.OPTIMIZERS.values())
        plans = {type(trainer.optimizer.schedule) for trainer in trainers}
        plans |= {
            type(plan.schedule) for plan in (t.optimizer.schedule for t in trainers) if isinstance(plan, fn.Warmup)
        }
        assert plans == set(fn.schedules.SCHEDULES)
        assert {type(metric) for trainer in trainers for metric in trainer.metrics} | {fn.metrics.Accuracy} == set(
            fn.metrics.METRICS.values()
        )


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("initializers", [cls.__name__ for cls in fn.initializers.CLASSES]),
        ("schedules", [cls.__name__ for cls in fn.schedules.SCHEDULES]),
        ("metrics", fn.metrics.METRICS),
    ],
)
def test_every_entry_of_a_registry_has_a_golden(family, names):
    assert {f"{family}/{name}" for name in names} <= DIGESTS.keys()


def test_every_option_of_an_optimizer_is_in_some_network():
    used = {}
    for training in network_cases.built("float32", 1).values():
        optimizer = training.trainer.optimizer
        for name, value in vars(optimizer).items():
            if value != getattr(type(optimizer), name):
                used.setdefault(name, set()).add(type(optimizer))
    for name in ("l1", "l2", "weight_decay", "decay_all", "clip_value", "clip_norm"):
        assert name in used
    for name in ("nesterov", "amsgrad", "centered", "momentum", "learning_rate_decay", "initial_accumulator"):
        assert name in used


def test_networks_are_trained_in_earnest():
    """400 steps change every parameter after 10, and reach no NaN."""
    training = network_cases.built("float32", 1)["classifier"]
    network_cases.train_to(training, 10)
    early = training.trainer.network.digest()
    network_cases.train_to(training, 400)
    assert training.trainer.steps == 400
    assert training.trainer.network.digest() != early
    assert training.trainer.history["learning_rate"][-1] > 0


def test_names_of_networks_match_the_functions():
    assert set(network_cases.built("float32", 1)) == {
        name.split("/")[1] for name in DIGESTS if name.startswith("networks/")
    }
    assert function_cases.SCHEDULES.keys() == {cls.__name__ for cls in fn.schedules.SCHEDULES}
