"""What was compiled, how it is chosen, and what importing it costs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kernels import KERNEL_STRUCTS

import fastnn as fn
from fastnn._engine import cpu
from fastnn._runtime import instruction_sets

# Where the package that these tests run on lies: a subprocess must find the same one from anywhere.
PLACE = Path(fn.__file__).parent.parent


def run(code, folder, **environment):
    """Python in a fresh process, without what this one's environment says about fastnn."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FASTNN_")}
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=clean | {"PYTHONPATH": str(PLACE)} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def output(code, folder, **environment):
    done = run(code, folder, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ----------------------------------------------------------- what was compiled


@pytest.mark.parametrize("name", KERNEL_STRUCTS)
@pytest.mark.parametrize("isa", instruction_sets.available())
def test_each_kernel_module_is_what_its_place_says(isa, dtype, name):
    import importlib

    module = importlib.import_module(f"fastnn._kernels.{isa}.{dtype}.{name}")
    assert module.isa == isa
    assert module.real_bits == int(dtype[-2:])
    assert f'"fastnn.{name}"' in repr(module.table)


# Registers that only a later instruction set has.
TOO_NEW = {"portable": r"%[yz]mm|\bv(?:fmadd|addp|mulp)", "avx2": r"%zmm|%k[1-7]", "avx512": None, "neon": None}


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
@pytest.mark.parametrize("name", ["dense", "activations", "optimizers"])
@pytest.mark.parametrize("isa", [isa for isa in instruction_sets.available() if TOO_NEW[isa]])
def test_no_kernel_holds_instructions_of_a_later_set(isa, dtype, name):
    """Flags of one set's build that leaked into another's would show nowhere else."""
    (path,) = (PLACE / "fastnn" / "_kernels" / isa / dtype).glob(f"{name}.*")
    listing = subprocess.run(["objdump", "-d", str(path)], capture_output=True, text=True, check=True).stdout
    assert "ret" in listing
    match = re.search(TOO_NEW[isa], listing)
    assert not match, match.group()
    if isa == "avx2":
        assert "%ymm" in listing


# Functions of the C library that differ between machines; fma and sqrt are correctly rounded everywhere.
INEXACT = re.compile(
    r"_*((exp|log|sin|cos|tan|erf|gamma|j|y)\w*|a(sin|cos|tan)\w*|expm1|log1p|pow|powi|cbrt|hypot|tgamma|lgamma|fmod"
    r"|exp10|exp2|log2|log10|sincos)[fl]?(_finite)?"
)


@pytest.mark.skipif(shutil.which("objdump") is None or sys.platform != "linux", reason="needs objdump")
def test_no_function_of_the_c_library_has_a_say_in_the_numbers():
    paths = list((PLACE / "fastnn").rglob("*.so"))
    assert len(paths) > 20
    for path in paths:
        listing = subprocess.run(["objdump", "-T", str(path)], capture_output=True, text=True, check=True).stdout
        wanted = {line.split()[-1] for line in listing.splitlines() if "*UND*" in line}
        assert not {name for name in wanted if INEXACT.fullmatch(name)}, path


def test_the_pattern_of_inexact_functions():
    for name in ("exp", "expf", "tanh", "tanhf", "powf", "log1p", "__exp_finite", "erf", "cos", "atan2"):
        assert INEXACT.fullmatch(name), name
    for name in ("fma", "fmaf", "sqrt", "memcpy", "PyLong_FromLong", "timespec_get", "strlen"):
        assert not INEXACT.fullmatch(name), name


def test_the_portable_build_is_always_there():
    assert "portable" in instruction_sets.available()
    assert all(cpu.supported(isa) for isa in instruction_sets.available())


def test_available_is_best_first():
    order = [instruction_sets.INSTRUCTION_SETS.index(isa) for isa in instruction_sets.available()]
    assert order == sorted(order)


# ---------------------------------------------------------------- FASTNN_ISA

CURRENT = "from fastnn._runtime import instruction_sets; print(instruction_sets.current())"


@pytest.mark.parametrize("isa", instruction_sets.available())
def test_the_instruction_set_can_be_forced(tmp_path, isa):
    assert output(CURRENT, tmp_path, FASTNN_ISA=isa) == isa


def test_the_best_instruction_set_is_the_default(tmp_path):
    assert output(CURRENT, tmp_path) == instruction_sets.available()[0]
    assert output(CURRENT, tmp_path, FASTNN_ISA="") == instruction_sets.available()[0]


@pytest.mark.parametrize(
    "wanted",
    [
        "avx1024",
        "AVX2 ",
        "portabel",
        "sse",
        *(isa for isa in instruction_sets.INSTRUCTION_SETS if isa not in instruction_sets.available()),
    ],
)
def test_an_instruction_set_that_cannot_be_used_is_an_error_that_lists_the_choices(tmp_path, wanted):
    done = run("import fastnn", tmp_path, FASTNN_ISA=wanted)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: FASTNN_ISA must be one of ")
    assert repr(wanted) in last
    for isa in instruction_sets.available():
        assert isa in last
    if wanted == "portabel":
        assert "did you mean 'portable'?" in last


def test_use_refuses_the_unknown_and_changes_nothing():
    before = instruction_sets.current()
    with pytest.raises(ValueError, match="must be one of"):
        instruction_sets.use("avx1024")
    assert instruction_sets.current() == before


def test_networks_keep_the_instruction_set_they_were_made_with(isa):
    net = fn.Network([fn.Input(3), fn.Dense(2)])
    table = instruction_sets.tables("float32")
    for other in instruction_sets.available():
        instruction_sets.use(other)
        assert net.predict([[1.0, 2.0, 3.0]]).shape == (1, 2)
    instruction_sets.use(isa)
    assert instruction_sets.tables("float32") is table


# ------------------------------------------------------------------- threads

THREADS = "import fastnn; print(fastnn.get_num_threads())"


@pytest.mark.parametrize(("text", "n"), [("1", 1), ("3", 3), (" 2 ", 2), ("64", 64)])
def test_the_number_of_threads_can_be_forced(tmp_path, text, n):
    assert output(THREADS, tmp_path, FASTNN_NUM_THREADS=text) == str(n)


def test_the_default_number_of_threads_is_that_of_usable_cores(tmp_path):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert output(THREADS, tmp_path) == str(min(cores, 64))
    assert output(THREADS, tmp_path, FASTNN_NUM_THREADS="") == str(min(cores, 64))


@pytest.mark.parametrize("text", ["0", "-1", "65", "1.5", "two", "1,2", "\u00b2", "1e1", "999999999999999999999"])
def test_a_bad_number_of_threads_is_an_error(tmp_path, text):
    done = run("import fastnn", tmp_path, FASTNN_NUM_THREADS=text)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: FASTNN_NUM_THREADS must be an integer from 1 to 64; got ")
    assert text in last


@pytest.mark.parametrize("n", [0, -1, 65, 1.5, "2", None, True, 10**30])
def test_set_num_threads_refuses_the_rest(n):
    before = fn.get_num_threads()
    with pytest.raises((ValueError, TypeError), match="n must be an integer from 1 to 64"):
        fn.set_num_threads(n)
    assert fn.get_num_threads() == before


# -------------------------------------------------------------- configuration


def test_show_config(capsys):
    fn.show_config()
    text = capsys.readouterr().out
    for part in (
        fn.__version__,
        instruction_sets.current(),
        cpu.compiler,
        "numerics version",
        "threads",
        *instruction_sets.available(),
    ):
        assert part in text
    assert json.loads(json.dumps(fn.config())) == fn.config()


def test_the_compiler_is_named():
    assert re.match(r"(GCC|Clang|Apple|MSVC)\b.*\d", cpu.compiler)


# --------------------------------------------------------------------- import

HEAVY = (
    "torch",
    "scipy",
    "sklearn",
    "matplotlib",
    "pandas",
    "click",
    "rich",
    "tqdm",
    "onnx",
    "jax",
    "IPython",
    "pytest",
)


def test_importing_is_light(tmp_path):
    """Nothing that NumPy had not imported, but the package itself and a few small modules."""
    code = """
import numpy, sys
before = set(sys.modules)
import fastnn
after = set(sys.modules)
import json
print(json.dumps(sorted(after - before)))
"""
    added = json.loads(output(code, tmp_path))
    outside = {name.split(".")[0] for name in added} - {"fastnn", "cython_runtime"} - set(sys.stdlib_module_names)
    assert not outside & set(HEAVY)
    assert not {name for name in outside if not name.startswith("_cython")}, "only the standard library"
    assert not {"asyncio", "unittest", "multiprocessing", "email", "http", "xml", "sqlite3"} & set(added)


def test_importing_is_quick(tmp_path):
    """In processor time, the best of three: tens of milliseconds over NumPy's own; the limit is several times that."""
    code = "import numpy, time; t = time.process_time(); import fastnn; print(time.process_time() - t)"
    assert min(float(output(code, tmp_path)) for _ in range(3)) < 0.2


@pytest.mark.parametrize("name", ["torch", "scipy", "matplotlib", "tqdm", "click", "rich", "sklearn"])
def test_training_works_without_what_it_does_not_need(tmp_path, name):
    code = f"""
import sys
sys.modules[{name!r}] = None
import fastnn as fn
net = fn.Network([fn.Input(2), fn.Dense(2)])
fn.Trainer(net, "cross_entropy", batch_size=2).fit([[0, 1], [1, 0]], [0, 1], epochs=2, progress="auto")
print(net.predict([[0, 1]]).shape)
"""
    assert output(code, tmp_path) == "(1, 2)"


# ----------------------------------------------------------------------- fork

FORK = """
import os, sys, warnings
import numpy as np
import fastnn as fn
warnings.simplefilter("ignore")          # newer Pythons warn of forks of processes with threads

def trained():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 5)).astype(np.float32), rng.integers(0, 3, 300)
    net = fn.Network([fn.Input(5), fn.Dense(40, "relu"), fn.Dense(3)])
    fn.Trainer(net, "cross_entropy", batch_size=50, threads=3).fit(X, y, epochs=3)
    return net.digest()

expected = trained()
for generation in range(2):              # a child of a child, too
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        break
    assert trained() == expected
assert trained() == expected             # each goes on after its child
print("done") if generation == 0 else None
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_after_a_threaded_run_can_train(tmp_path):
    assert output(FORK, tmp_path) == "done"


def test_the_process_ends_though_workers_wait(tmp_path):
    """Neither at once nor while a run is under way in another thread does the end of the interpreter hang or crash."""
    code = """
import threading
import numpy as np
import fastnn as fn
net = fn.Network([fn.Input(64), fn.Dense(64, "relu"), fn.Dense(3)])
X, y = np.zeros((5000, 64), np.float32), np.zeros(5000, np.int64)
trainer = fn.Trainer(net, "cross_entropy", batch_size=50, threads=3)
trainer.fit(X, y)
threading.Thread(target=trainer.fit, args=(X, y), kwargs={"epochs": 10**9, "max_seconds": 600}, daemon=True).start()
while trainer.steps < 300:
    pass
print("end")
"""
    assert output(code, tmp_path) == "end"
