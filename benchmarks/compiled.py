"""A few lines of C, compiled when a benchmark starts."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path


def library(source: str, *flags: str) -> ctypes.CDLL:
    """Return the functions of the source; `OSError` or `subprocess.CalledProcessError` without a compiler for it."""
    compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder, "source.c"), Path(folder, "library.so")
        path.write_text(source)
        command = [compiler, str(path), "-shared", "-fPIC", "-o", str(target), *flags]
        subprocess.run(command, check=True, capture_output=True)
        return ctypes.CDLL(str(target))
