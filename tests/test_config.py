"""What an installation says of itself, and how little an import loads."""

import subprocess
import sys

import fastnn as fn


def test_show_config(capsys):
    fn.show_config()
    shown = capsys.readouterr().out
    for name in ("fastnn", "numerics version", "instruction set", "threads", "compiler", "python", "numpy"):
        assert name in shown
    assert fn.config()["instruction set"] in shown


def test_import_is_light():
    script = "import sys, fastnn; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    for name in ("scipy", "sklearn", "torch", "tqdm", "click", "rich", "matplotlib", "safetensors", "numpy.typing"):
        assert name not in loaded, name
