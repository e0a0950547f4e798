"""Calls whose arguments do not fit: an error that says what is wrong, and signatures as they were."""

import copy
import inspect
import pickle
import traceback

import pytest
from public import name_of, parameters, walked

import fastnn as fn
from fastnn._input.calls import explained
from fastnn.layers import LAYERS

MODULES = ("network", "training", "callbacks", "gradients", "inspection", "layers", "losses", "optimizers", "schedules")
NET = fn.Network([fn.Input(3), fn.Dense(2)])
TRAINER = fn.Trainer(NET, "cross_entropy")
NOT_CALLED_BY_USERS = {"gradients.GradientCheck", "callbacks.is_better", "callbacks.monitored", "layers.activation_of"}


def constructors_and_functions():
    for name, found in walked().items():
        is_method = not isinstance(found, type) and "." in found.__qualname__
        kinds = {parameter.kind for parameter in parameters(found).values()}
        is_fixed = inspect.Parameter.VAR_KEYWORD not in kinds
        if name.startswith(MODULES) and not is_method and is_fixed and name not in NOT_CALLED_BY_USERS:
            yield pytest.param(found, id=name)


@pytest.mark.parametrize("call", [*constructors_and_functions(), TRAINER.fit, TRAINER.evaluate])
def test_an_unknown_argument_is_named_with_what_there_is(call):
    name = call.__qualname__.removesuffix(".__init__")
    with pytest.raises(TypeError, match=rf"^{name}\(\) got an unexpected argument 'zzz'; it takes ") as caught:
        call(zzz=1)
    assert all(parameter in str(caught.value) for parameter in parameters(call))


@pytest.mark.parametrize("call", [fn.Network, fn.Trainer, TRAINER.fit, fn.Dense, fn.gradient_check, fn.Checkpoint])
def test_a_missing_argument_is_named(call):
    first = next(iter(parameters(call)))
    with pytest.raises(TypeError, match=rf"^{call.__qualname__}\(\) is missing the argument '{first}'"):
        call()


def test_one_array_alone():
    with pytest.raises(TypeError, match=r"missing the argument 'y': the rows and their targets are two arrays"):
        TRAINER.fit([[1.0, 2.0, 3.0]])


def test_too_many_arguments():
    with pytest.raises(TypeError, match=r"^Trainer\.fit\(\) takes at most 3 positional arguments; got 4: epochs is"):
        TRAINER.fit([[1.0, 2.0, 3.0]], [0], 1, 32)
    with pytest.raises(
        TypeError, match=r"^Network\(\) takes at most 3 positional arguments; got 4: layers go in a list"
    ):
        fn.Network(*NET.layers, *NET.layers)
    with pytest.raises(TypeError, match=r"^Input\(\) takes at most 1 positional arguments; got 2"):
        fn.Input(1, 2)
    with pytest.raises(TypeError, match=r"^Network\(\) got multiple values for argument 'layers'"):
        fn.Network(NET.layers, layers=NET.layers)


def test_errors_from_within_are_as_they_were():
    def inner():
        raise TypeError("got an unexpected keyword argument 'x'")

    @explained
    def outer(a):
        inner()

    with pytest.raises(TypeError, match=r"^got an unexpected keyword argument 'x'$") as caught:
        outer(1)
    assert "in inner" in "".join(traceback.format_exception(caught.value))


def test_the_traceback_ends_at_the_call():
    with pytest.raises(TypeError) as caught:
        fn.Trainer(NET, "huber", lr=1)
    assert caught.value.__suppress_context__
    assert len(traceback.extract_tb(caught.value.__traceback__)) == 2


def test_signatures_stay():
    assert list(inspect.signature(fn.Trainer).parameters)[:4] == ["network", "loss", "optimizer", "batch_size"]
    assert str(inspect.signature(fn.Network)).startswith("(layers: 'Sequence[Layer]', seed: 'int' = 0")
    assert list(inspect.signature(TRAINER.fit).parameters)[:3] == ["X", "y", "epochs"]
    assert fn.Trainer.fit.__qualname__ == "Trainer.fit"
    assert pickle.loads(pickle.dumps(fn.gradient_check)) is fn.gradient_check
    assert name_of(fn.gradient_check) == "gradients.gradient_check"


def test_objects_are_copied_and_asked_as_before():
    for owner in (NET, TRAINER):
        assert copy.copy(owner) is not owner
        assert type(copy.deepcopy(owner)) is type(pickle.loads(pickle.dumps(owner))) is type(owner)
        assert getattr(owner, "fits", None) is None
        blank = type(owner).__new__(type(owner))
        assert not hasattr(blank, "seed")


def test_python_adds_no_guess_of_its_own():
    with pytest.raises(AttributeError) as caught:
        _ = NET.forward
    assert (caught.value.name, caught.value.obj) == ("forward", None)
    assert "id you mean" not in "".join(traceback.format_exception(caught.value))


def test_names_of_other_libraries_are_not_listed():
    for owner in (NET, TRAINER):
        listed = dir(owner)
        assert {"network", "predict"} & set(listed)
        assert not [name for name in listed if not hasattr(owner, name)]


def test_a_network_is_not_called():
    with pytest.raises(TypeError, match=r"^a Network is not called: net\.predict\(X\) computes its outputs$"):
        NET([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize("cls", [cls for cls in LAYERS if cls not in (fn.Input, fn.Dense)])
def test_a_width_is_no_parameter(cls):
    """What other libraries have there: the width of the rows, percents."""
    with pytest.raises((TypeError, ValueError), match=r"got (64|int 64)"):
        cls(64)


def test_norms_know_their_width():
    for cls in (fn.LayerNorm, fn.RMSNorm):
        with pytest.raises(ValueError, match=rf"below 1; got 64\.0: the layer before .*, fn\.{cls.__name__}\(\) is"):
            cls(64)
        with pytest.raises(ValueError, match=r"below 1; got 1\.0"):
            cls(1)
        assert cls(1e-6).epsilon == 1e-6


def test_layers_as_other_libraries_make_them():
    with pytest.raises(TypeError, match=r"got int 32: the layer before says how wide the rows are$"):
        fn.Dense(64, 32)
    with pytest.raises(ValueError, match=r"got 50\.0: 50 % are fn\.Dropout\(0\.5\)$"):
        fn.Dropout(50)
    with pytest.raises(TypeError, match=r"they go in a list, fn\.Network\(\[fn\.Input\(30\), fn\.Dense\(1\)\]\)$"):
        fn.Network(fn.Dense(3))
    with pytest.raises(ValueError, match=r"got Dense\(3\) at position 0: fn\.Input\(features\) says how many numbers"):
        fn.Network([fn.Dense(3)])
    with pytest.raises(TypeError, match=r"got the class Dense at position 1: write fn\.Dense\(…\)$"):
        fn.Network([fn.Input(3), fn.Dense])
    with pytest.raises(TypeError, match=r"got str 'relu' at position 1: an activation is fn\.Activation\('relu'\)$"):
        fn.Network([fn.Input(3), "relu"])
    with pytest.raises(TypeError) as caught:
        fn.Network([30, 64, 1])
    made = str(caught.value).split(": ", 1)[1].removesuffix(" has these sizes")
    assert eval(made).layers == (fn.Input(30), fn.Dense(64, "relu"), fn.Dense(1))
