"""Reading and writing files: safetensors, with everything that is not a tensor as one JSON text in the metadata.

The formats hold data only: loading a file never executes anything from it. A CRC of each tensor and a SHA-256 of the
whole stand in the metadata too, where other readers of safetensors pass over them.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage import durable

NUMERICS_VERSION = 1
FORMAT_VERSION = 2  # 2: checksums
_KEY = "fastnn"
_MOST_HEADER = 100_000_000  # bytes, by safetensors
_SEAL = ', "sha256": "{}"}}'  # how the text ends: the checksum of what is before, and of the tensors


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256, in hexadecimal, of named arrays: the same on every machine.

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
        _add(result.update, name, array.shape, little)
    return result.hexdigest()


def _add(update: Callable[[Any], None], name: str, shape: tuple[int, ...], little: np.ndarray) -> None:
    update(f"{name} {shape} {little.dtype.name}\n".encode())
    update(_bytes(little))


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256, in hexadecimal, of all that a file says: unlike the digest, of every bit of it."""
    import hashlib

    result = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        _add(result.update, name, tensors[name].shape, tensors[name])
    return result.hexdigest()


def _crc(array: np.ndarray) -> int:
    import zlib

    return zlib.crc32(_bytes(array))


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    keep_previous: bool = False,
) -> None:
    """Write a file in one go: whoever looks sees the old file or the whole new one."""
    import json

    from safetensors import SafetensorError
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, array.dtype.newbyteorder("<"), order="C") for name, array in tensors.items()}
    crcs = {name: _crc(arrays[name]) for name in sorted(arrays)}
    header = {"format": FORMAT_VERSION, "numerics": NUMERICS_VERSION, **metadata, "crc32": crcs}
    with standard_environment():  # reading and writing a number as text calculates
        text = json.dumps(header)[:-1]
    too_many = f"{len(arrays):,} tensors are too many for a safetensors file"
    try:
        content = save(arrays, metadata={_KEY: text + _SEAL.format(_checksum(text, arrays))})
    except SafetensorError as error:
        raise ValueError(f"{too_many} ({error})") from None
    if int.from_bytes(content[:8], "little") > _MOST_HEADER:  # old releases write what none reads
        raise ValueError(f"{too_many} (their names, shapes and texts take more than {_MOST_HEADER:,} bytes)")
    durable.replace(path, content, keep_previous)


def read(path: str | os.PathLike[str], kinds: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the metadata and the tensors of a file of one of ``kinds`` (``"network"``, ``"trainer"``).

    If the file is damaged or missing and the generation before it was kept, then of that one, with a warning.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is truncated, damaged, not a fastnn file, of another format, or of another kind.
    """
    name = checks.path(path)
    try:
        return _read(name, kinds)
    except (OSError, ValueError) as error:
        older = durable.previous(path)
        if not os.path.exists(older):
            raise
        try:
            found = _read(older, kinds)
        except (OSError, ValueError):
            raise error from None
        warnings.warn(f"{error}; the generation before it was loaded instead, {older!r}", RuntimeWarning, stacklevel=4)
        return found


def _read(name: str, kinds: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    if not stat.S_ISREG(os.stat(name).st_mode):
        raise ValueError(f"{name!r} is not a regular file")
    with open(name, "rb"):  # the operating system's own error, with the path
        pass
    try:
        with safe_open(name, framework="numpy") as file:
            entries = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a mapping
    except (SafetensorError, KeyError, TypeError) as error:  # the latter two for dtypes that NumPy does not have
        hint = "; fn.onnx.load reads ONNX files" if name.endswith(".onnx") else ""
        raise ValueError(f"{name!r} is truncated, damaged or not a fastnn model ({error}){hint}") from None
    if _KEY not in entries:
        raise ValueError(f"{name!r} is a safetensors file but not a fastnn model")
    metadata = _parsed(entries[_KEY], name)
    if metadata.get("kind") not in ("network", "trainer"):
        raise ValueError(f"{name!r} is not a fastnn model")
    for version, known in (("format", FORMAT_VERSION), ("numerics", NUMERICS_VERSION)):
        if metadata.get(version) != known:
            raise ValueError(f"{name!r} is of {version} version {metadata.get(version)}; this fastnn knows {known}")
    crcs = metadata.pop("crc32", {})
    for key, array in tensors.items():
        if crcs.get(key) != _crc(array):
            raise ValueError(f"{name!r} is damaged: the tensor {key!r} does not have the checksum that the file states")
    text = entries[_KEY][: -len(_SEAL.format("0" * 64))]
    if entries[_KEY] != text + _SEAL.format(_checksum(text, tensors)):
        raise ValueError(f"{name!r} is damaged: it does not have the SHA-256 that it states")
    if metadata["kind"] not in kinds:
        raise ValueError(f"{name!r} holds a {metadata['kind']}; expected a {' or '.join(kinds)}")
    return metadata, tensors


def _parsed(text: str, name: str) -> dict[str, Any]:
    import json

    try:
        with standard_environment():
            metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name!r} is damaged: {error}") from None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("crc32", {}), dict):
        raise ValueError(f"{name!r} is not a fastnn model")
    return metadata
