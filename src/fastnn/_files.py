"""Reading and writing files: safetensors, with everything that is not a tensor as one JSON text in the metadata.

The formats hold data only: loading a file never executes anything from it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment

NUMERICS_VERSION = 1
FORMAT_VERSION = 1
_KEY = "fastnn"


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256, in hexadecimal, of named arrays: the same on every machine.

    Of the numerics contract's version, and of each array in the order of the names: name, shape, dtype and the
    little-endian values in C order, every NaN as the same one.
    """
    import hashlib

    result = hashlib.sha256(f"fastnn numerics {NUMERICS_VERSION}\n".encode())
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        if little.dtype.kind == "f" and np.isnan(little).any():
            little = np.where(np.isnan(little), little.dtype.type(np.nan), little).astype(little.dtype)
        result.update(f"{name} {array.shape} {little.dtype.name}\n".encode())
        result.update(little.tobytes())
    return result.hexdigest()


def write(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> None:
    """Writes a file in one go: whoever looks sees the old file or the whole new one."""
    import json

    from safetensors.numpy import save

    header = {"format": FORMAT_VERSION, "numerics": NUMERICS_VERSION, **metadata}
    contiguous = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with standard_environment():  # reading and writing a number as text calculates
        text = json.dumps(header)
    content = save(contiguous, metadata={_KEY: text})
    with replacing(path) as part, open(part, "xb") as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """The name of a file to write in a ``with`` statement, which takes the place of ``path`` if no error ends that."""
    folder, name = os.path.split(os.fspath(path))
    part = os.path.join(folder, f".{name}.{os.getpid()}.part")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)
        raise


def read(path: str | os.PathLike[str], kinds: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The metadata and the tensors of a file of one of ``kinds`` (``"network"``, ``"trainer"``).

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is truncated, not a fastnn file, of a newer format, or of another kind.
    """
    import json

    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    with open(name, "rb"):  # the operating system's own error, with the path
        pass
    try:
        with safe_open(name, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            if text is None:
                raise ValueError(f"{name!r} is a safetensors file but not a fastnn model")
            with standard_environment():
                metadata = json.loads(text)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError as error:
        raise ValueError(f"{name!r} is truncated or not a fastnn model ({error})") from None
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{name!r} is damaged: {error}") from None
    if not isinstance(metadata, dict) or metadata.get("kind") not in ("network", "trainer"):
        raise ValueError(f"{name!r} is not a fastnn model")
    for version, known in (("format", FORMAT_VERSION), ("numerics", NUMERICS_VERSION)):
        if metadata.get(version) != known:
            raise ValueError(f"{name!r} is of {version} version {metadata.get(version)}; this fastnn knows {known}")
    if metadata["kind"] not in kinds:
        raise ValueError(f"{name!r} holds a {metadata['kind']}; expected a {' or '.join(kinds)}")
    return metadata, tensors
