"""Tensors of an ONNX model that lie in another file: taken in, if that is a plain file beside the model."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from onnx import ModelProto, TensorProto, helper

MAX_BYTES = 2**31 - 2**20  # of a model, less something for all that is not a parameter


def take_in(model: ModelProto, folder: str) -> None:
    """Put the values of every tensor into the model.

    The model's maker chooses the names of the files. So nothing is opened but regular files in ``folder`` itself,
    neither links nor devices, and nothing is read beyond their ends.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If a tensor asks for anything else.
    """
    total = 0
    for tensor in tensors_of(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        given = {entry.key: entry.value for entry in tensor.external_data}
        try:
            with _opened(folder, given.get("location", "")) as file:
                size = _size(tensor)
                offset = _checked_offset(given, size, os.fstat(file.fileno()).st_size)
                total += size
                if total > MAX_BYTES:
                    raise ValueError("the model has more than 2 GB of parameters")
                file.seek(offset)
                content = file.read(size)
        except ValueError as error:
            raise ValueError(f"the tensor {tensor.name!r}: {error}") from None
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT
        tensor.raw_data = content


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Yield the tensors of a model's graph, without those of graphs within it."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _opened(folder: str, name: str) -> BinaryIO:
    """Open a plain file of the folder."""
    if not name or name in (".", "..") or set(name) & {"/", "\\", ":", "\0"}:
        raise ValueError(f"it must lie in a file beside the model, by its name alone; got {name!r}")
    path = os.path.join(folder, name)
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError(f"it must lie in a file beside the model; {name!r} is a link or no file")
    # What was looked at may be another by now: a link is not followed, and a pipe is not waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ValueError(f"it must lie in a file beside the model; {name!r} is no file")
    return file


def _size(tensor: TensorProto) -> int:
    """Return the bytes of a tensor."""
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)) if tensor.data_type in _PLAIN else None
    if dtype is None or any(size < 0 for size in tensor.dims):
        raise ValueError("its values in another file must be plain numbers")
    return int(np.prod([int(size) for size in tensor.dims], dtype=object)) * dtype.itemsize


_PLAIN = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL)


def _checked_offset(given: dict[str, str], size: int, file_size: int) -> int:
    offset, length = given.get("offset", "0"), given.get("length", str(size))
    for text in (offset, length):
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"offset and length must be whole numbers; got {text[:40]!r}")
    if int(length) != size:
        raise ValueError(f"its shape and dtype need {size:,} bytes; its length in the other file is {length}")
    if int(offset) + size > file_size:
        raise ValueError(
            f"it must lie within the other file; that has {file_size:,} bytes, it would end at {int(offset) + size:,}"
        )
    return int(offset)
