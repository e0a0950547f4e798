"""Sub-interpreters: one that loads fastnn after another is refused by an ImportError, and the other goes on."""

import subprocess
import sys

import pytest

CODE = """
import warnings
import fastnn as fn
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
    run = lambda number, text: interpreters.exec(number, text)
except ImportError:
    import _xxsubinterpreters as interpreters
    try:
        interpreters.create(isolated=False)
        create = lambda: interpreters.create(isolated=False)
    except TypeError:
        create = interpreters.create
    run = interpreters.run_string
digest = fn.Network([fn.Input(2), fn.Dense(2)]).digest()
number = create()
run(number, '''
import warnings
warnings.simplefilter("ignore")
try:
    import fastnn
except ImportError as error:
    print("refused:", error, flush=True)
else:
    print("loaded", flush=True)
''')
interpreters.destroy(number)
trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(2)]), "mean_squared", threads=2, batch_size="full")
assert trainer.network.digest() == digest
trainer.fit([[1.0, 2.0]] * 500, [[1.0, 2.0]] * 500, epochs=3)
print("goes on")
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="of CPython alone")
def test_a_second_interpreter_is_refused():
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    first, last = found.stdout.strip().splitlines()
    assert first.startswith("refused:")
    assert last == "goes on"
