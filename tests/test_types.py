"""What type checkers know: names are listed as they are looked at, wrong ones are found before anything runs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import fastnn as fn
from fastnn._input import names
from fastnn.callbacks import EarlyStopping
from fastnn.initializers import INITIALIZERS
from fastnn.layers import ACTIVATIONS
from fastnn.losses import LOSSES
from fastnn.metrics import METRICS
from fastnn.optimizers import OPTIMIZERS
from fastnn.schedules import UNITS

REGISTRIES = {
    "ActivationName": {*ACTIVATIONS, "linear"},
    "InitializerName": set(INITIALIZERS),
    "LossName": set(LOSSES),
    "OptimizerName": set(OPTIMIZERS),
    "MetricName": set(METRICS),
    "DtypeName": {"float32", "float64"},
    "UnitName": set(UNITS),
    "ModeName": {"auto", "min", "max"},
}
# A line of a program, and what mypy says of it; nothing where it is right.
LINES = [
    ('net = fn.Network([fn.Input(3), fn.Dense(4, "relu"), fn.Dense(2, None)], seed=1, dtype="float64")', ""),
    ('net = fn.Network([fn.Input(3), fn.Dense(2)], dtype="float16")', '"float16"'),
    ('fn.Dense(3, "swish")', '"swish"'),
    ("fn.Dense(64, 32)", '"Dense" has incompatible type'),
    ('fn.Dense(3, weight_initializer="he")', '"he"'),
    ('fn.Activation("leaky_relu", alpha=0.2)', ""),
    ('fn.Activation("swish")', '"swish"'),
    ("fn.LayerNorm(epsilon=1e-6)", ""),
    ('trainer = fn.Trainer(net, loss="mean_squared", optimizer="adamw", batch_size="full", threads="auto")', ""),
    ('fn.Trainer(net, fn.Huber(2.0), fn.SGD(0.1), metrics=["mae", fn.metrics.R2()], class_weight="balanced")', ""),
    ('fn.Trainer(net, loss="mse")', '"mse"'),
    ('fn.Trainer(net, loss="huber", optimizer="adamax")', '"adamax"'),
    ('fn.Trainer(net, loss="huber", batch_size="all")', '"all"'),
    ('fn.Trainer(net, loss="huber", threads="all")', '"all"'),
    ('fn.Trainer(net, loss="huber", shuffle="yes")', '"shuffle"'),
    ('fn.Trainer(net, loss="huber", metrics=["acc"])', "list-item"),
    ('fn.Trainer(net, loss="huber", lr=0.1)', '"lr"'),
    ('trainer.fit([[1.0]], [1.0], epochs=2, progress="auto")', ""),
    ('trainer.fit([[1.0]], [1.0], progress="yes")', '"yes"'),
    ("trainer.fit([[1.0]], [1.0], n_epochs=2)", '"n_epochs"'),
    ("trainer.predict([[1.0]])", '"predict"'),
    ("net.fit([[1.0]], [1.0])", '"fit"'),
    ("net([[1.0]])", "not callable"),
    ('fn.schedules.Step(0.1, 3, unit="step")', ""),
    ('fn.schedules.Step(0.1, 3, unit="steps")', '"steps"'),
    ('fn.schedules.ReduceOnPlateau(0.1, mode="best")', '"best"'),
    ('fn.EarlyStopping(mode="best")', '"best"'),
    ('fn.EarlyStopping(5, mode="min")', ""),
    ("fn.set_num_threads(2)", ""),
    ('fn.set_num_threads("a")', '"str"'),
    ('fn.gradient_check(net, "mse", [[1.0]], [1.0])', '"mse"'),
    ("fn.Adam(lr=0.1)", '"lr"'),
    ("fn.Sequential()", '"Sequential"'),
    ("fn.plot.learning_curve(trainer.history)", ""),
    ("fn.plot.learning_curves_of(trainer)", '"learning_curves_of"'),
    ("fn.tables.Preprocessor(min_rows=2)", ""),
    ("fn.inspection.dead_units(net, [[1.0]])", ""),
]


def literals():
    return {name: value for name, value in vars(names).items() if name.endswith("Name")}


@pytest.mark.parametrize("name", REGISTRIES)
def test_each_list_of_names_is_its_registry(name):
    listed = get_args(literals()[name])
    assert len(set(listed)) == len(listed)
    assert set(listed) == REGISTRIES[name]


def test_no_list_is_without_a_registry():
    assert literals().keys() == REGISTRIES.keys()


def test_names_are_taken_while_running():
    for dtype in REGISTRIES["DtypeName"]:
        assert fn.Network([fn.Input(3), fn.Dense(2)], dtype=dtype).dtype == dtype
    for mode in REGISTRIES["ModeName"]:
        assert EarlyStopping(mode=mode).mode == mode
    for activation in REGISTRIES["ActivationName"]:
        fn.Dense(3, activation)


def test_importing_does_without_the_lists():
    code = "import fastnn, sys; print('fastnn._input.names' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What mypy says of each line of a user's program."""
    folder = tmp_path_factory.mktemp("program")
    program = folder / "program.py"
    program.write_text("import fastnn as fn\n" + "\n".join(line for line, _ in LINES) + "\n")
    options = ["--config-file=", "--follow-imports=silent", "--hide-error-context", "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, f"--cache-dir={folder / 'cache'}", str(program)]
    place = Path(fn.__file__).parent.parent
    environment = {"MYPYPATH": str(place)} if "site-packages" not in str(place) else {}
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "", **environment}, timeout=600)
    assert done.stderr == ""
    messages = {number: "" for number in range(2, len(LINES) + 2)}
    for line in done.stdout.splitlines():
        match = re.search(r"program\.py:(\d+): error: (.*)", line)
        assert match or ": note: " in line, line
        if match:
            messages[int(match[1])] += match[2].replace("'", '"')
    return [messages[number] for number in sorted(messages)]


@pytest.mark.parametrize("number", range(len(LINES)), ids=lambda number: LINES[number][0])
def test_a_type_checker_finds_what_is_wrong(found, number):
    _, expected = LINES[number]
    assert expected in found[number]
    assert bool(found[number]) == bool(expected)
