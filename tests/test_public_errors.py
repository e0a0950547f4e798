"""Everything public refuses values of a wrong kind, parameter by parameter, by name, before anything changes."""

import copy
import os
import pickle
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("onnx")
pytest.importorskip("sklearn")
pytest.importorskip("torch")

import public
import valid_calls
from matplotlib import pyplot
from sklearn.base import BaseEstimator
from wrong_values import TAKEN, is_taken, says_what_came, wrong_values

import fastnn as fn

CALLS = {f"{public.name_of(call)}-{number}": (call, given) for number, (call, given) in enumerate(valid_calls.CALLS)}
PARAMETERS = [(name, parameter) for name, (_, given) in CALLS.items() for parameter in given]

# Arguments of functions that take anything for them.
ANYTHING = {
    "parameters.Parameters.update(more)": "entries by name, as those of `other`",
    "records.run_record(more)": "the caller's own entries",
    "data.Standardizer.transform(argument)": "what errors are to call `X`",
    "losses.Loss.targets(argument)": "what errors are to call `y`",
    "losses.CrossEntropy.targets(argument)": "what errors are to call `y`",
}
# What is public, has parameters and is not called by users with arguments of their own.
NOT_CALLED = {
    "the engine calls them, with what it has": (
        r"callbacks\.(Callback|Checkpoint|EarlyStopping)\.(on_\w+|set_state)",
        r"losses\.\w+\.(check_outputs|n_targets)",
        r"schedules\.\w+\.of_steps",
        r"history\.History\.append",
    ),
    "the library makes them": (
        r"errors\.DivergedError",
        r"tables\.cells\.CellError",
        r"gradients\.GradientCheck",
        r"reproduction\.Reproduction",
    ),
    "there is nothing to call: a base, or what always raises": (
        r"optimizers\.Optimizer",
        r"initializers\.Initializer\.values",
        r"metrics\.Metric\.__call__",
        r"network\.Network\.__call__",
        r"parameters\.Parameters\.__delitem__",
        r"history\.History\._refuse",
    ),
    "modules of the library share them; the reference has none of them": (
        r"callbacks\.(is_better|monitored)",
        r"data\.split_rows",
        r"initializers\.(\w+\.variance|resolved)",
        r"layers\.activation_of",
        r"layers\.\w+\.lower",
        r"metrics\.is_maximised",
        r"network\.Network\.from_description",
        r"tables\.(encoders|dates)\.\w+\.(encode|fit|unseen)",
        r"tables\.model\.TableModel\.of",
        r"tables\.number_formats\.NumberFormat\.(is_missing|missing_among|read|without_words)",
        r"tables\.preprocessor\.Preprocessor\.check_columns",
        r"tables\.targets\.\w+\.(baseline|predicted|scores)",
        r"torch\.\w+\.(layers_of|module_of)",
    ),
}
# scikit-learn refuses what an estimator learns from, in its own words, as for any other estimator; of validation data,
# which others do not have, the beginning is ours.
IN_WORDS_OF_SKLEARN = re.compile(r"sklearn\._\w+\.\w+\.\w+\((X|y|sample_weight|classes)\)")
IN_PART_OF_SKLEARN = re.compile(r"sklearn\._\w+\.\w+\.\w+\((X|y|sample_weight|classes|X_val|y_val)\)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the calls read."""
    path = tmp_path_factory.mktemp("files")
    valid_calls.write_files(path)
    return path


def standing(call):
    """What no call that fails may change."""
    owner = getattr(call, "__self__", None)
    kept = None if owner is None or isinstance(owner, BaseEstimator) else pickle.dumps(owner)
    trainer, axes = valid_calls.TRAINER, valid_calls.AXES
    networks = valid_calls.NET.digest(), trainer.network.digest(), trainer.steps
    drawn = pyplot.get_fignums(), len(axes.get_children())
    return kept, networks, drawn, fn.get_num_threads(), sorted(os.listdir()), sorted(os.listdir(".."))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_calls_are_valid(name, tmp_path, monkeypatch):
    valid_calls.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    call, given = CALLS[name]
    public.called(copy.deepcopy(call), copy.copy(given))


def test_every_parameter_is_in_a_call():
    given = {f"{public.name_of(call)}({parameter})" for call, given in valid_calls.CALLS for parameter in given}
    needed = {f"{public.name_of(call)}({name})" for call, _ in valid_calls.CALLS for name in public.parameters(call)}
    assert needed - given <= ANYTHING.keys()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_wrong_values_are_refused(name, parameter, folder, monkeypatch):
    monkeypatch.chdir(folder)
    call, given = CALLS[name]
    place = f"{public.name_of(call)}({parameter})"
    if place in ANYTHING:
        return
    declared = public.parameters(call)[parameter]
    takes_none = declared.default is None or "None" in str(declared.annotation)
    # What a mapping does not hold is a KeyError, which `in` and `get` go by.
    by_key = "__getitem__" in place or "parameters.Parameters" in place
    refusals = (TypeError, ValueError, OSError, KeyError) if by_key else (TypeError, ValueError, OSError)
    before = standing(call)
    for label, value in wrong_values(given[parameter], takes_none).items():
        if is_taken(place, label):
            continue
        try:
            public.called(call, {**given, parameter: value})
        except refusals as error:
            message = str(error)
            is_path = isinstance(error, OSError) or isinstance(given[parameter], Path)
            named = by_key or (is_path and value and str(value) in message) or IN_WORDS_OF_SKLEARN.fullmatch(place)
            assert named or re.search(rf"\b{parameter}\b", message), (label, message)
            assert says_what_came(message, value) or IN_PART_OF_SKLEARN.fullmatch(place), (label, message)
        else:
            pytest.fail(f"{place} takes {label}: {value!r}")
        assert standing(call) == before, label


def is_not_called(name):
    return any(re.fullmatch(pattern, name) for patterns in NOT_CALLED.values() for pattern in patterns)


def test_nothing_public_is_left_out():
    called = {public.name_of(call) for call, _ in valid_calls.CALLS}
    walked = public.walked().keys()
    assert {name for name in walked - called if not is_not_called(name)} == set()
    assert called <= walked
    assert {name for name in called if is_not_called(name)} == set()


def test_lists_of_exceptions_hold_nothing_else():
    walked = public.walked()
    for pattern in (pattern for patterns in NOT_CALLED.values() for pattern in patterns):
        assert any(re.fullmatch(pattern, name) for name in walked), pattern
    places = {f"{name}({parameter})" for name, found in walked.items() for parameter in public.parameters(found)}
    assert places >= ANYTHING.keys()
    for pattern in TAKEN:
        assert any(re.fullmatch(pattern, place) for place in places), pattern


def test_what_modules_share_is_not_in_the_reference():
    pages = Path(__file__).parent.parent.joinpath("docs", "reference").glob("*.rst")
    described = {name for page in pages for name in public.described(page.read_text(encoding="utf-8"))}
    assert {"Trainer.fit", "Standardizer.transform", "split"} <= described
    shared = NOT_CALLED["modules of the library share them; the reference has none of them"]
    for name, found in public.walked().items():
        if any(re.fullmatch(pattern, name) for pattern in shared):
            assert found.__qualname__ not in described
