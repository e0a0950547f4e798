"""Random changes: of bytes, of what JSON holds, of arrays and of protocol buffers."""

import copy
import json
import random

import numpy as np

NUMBERS = [0, 1, -1, 2, 3, 7, 64, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**30]
FLOATS = [0.0, -0.0, 0.5, 1.0, -1.0, 1e-45, 5e-324, 1e39, 1e308, float("inf"), float("-inf"), float("nan")]
TEXTS = ["", "a", "0.weight", "0.bias", "Dense", "Input", "Adam", "CrossEntropy", "type", "\0", "é", "full", "none"]
DTYPES = ["float32", "float64", "int64", "uint8", "bool", "float16", "int32"]


def of_bytes(content: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, put in, taken out or doubled."""
    result = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(result) + 1)
        kind = chance.randrange(5)
        if kind == 0 and place < len(result):
            result[place] ^= 1 << chance.randrange(8)
        elif kind == 1 and place < len(result):
            result[place] = chance.choice(b'\0\xff",;\n\r\t[]{}0-.e\xc3')
        elif kind == 2:
            result[place:place] = chance.choice([b"\0", b'"', b",", b"\n", b"\r\n", b"1e400", b"NaN", b"\xff", b"[["])
        elif kind == 3:
            del result[place : place + chance.choice((1, 2, 8, 100))]
        else:
            start = chance.randrange(len(result) + 1)
            result[place:place] = result[start : start + chance.choice((1, 4, 32, 200))]
    return bytes(result)


def value(chance: random.Random) -> object:
    """Something that JSON can hold."""
    kind = chance.randrange(8)
    if kind < 6:
        return chance.choice([None, True, False, chance.choice(NUMBERS), chance.choice(FLOATS), chance.choice(TEXTS)])
    items = [value(chance) for _ in range(chance.randrange(3))]
    return items if kind == 6 else {chance.choice(TEXTS): item for item in items}


def _nodes(data: object) -> list:
    """(container, key) of every value within ``data``."""
    found, pending = [], [data]
    while pending:
        container = pending.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                pending.append(container[key])
    return found


def of_data(data: object, chance: random.Random) -> object:
    """What JSON can hold, with a few values changed, removed, doubled or put elsewhere."""
    result = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        nodes = _nodes(result) if isinstance(result, (dict, list)) else []
        if not nodes:
            return value(chance)
        container, key = chance.choice(nodes)
        kind = chance.randrange(8)
        if kind == 0:
            del container[key]
        elif kind == 1:
            other, place = chance.choice(nodes)
            if place in other if isinstance(other, dict) else place < len(other):
                container[key] = copy.deepcopy(other[place])
        elif kind == 2 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif kind == 2:
            container[chance.choice(TEXTS)] = container.pop(key)
        elif kind == 3 and isinstance(container[key], (int, float)):
            container[key] = -container[key] if chance.random() < 0.5 else container[key] + 1
        elif kind == 4 and isinstance(container[key], str):
            changed = of_bytes(container[key].encode("utf-8", "surrogatepass"), chance)
            container[key] = changed.decode("utf-8", "replace")
        else:
            container[key] = value(chance)
    return result


def of_json(content: bytes, chance: random.Random) -> bytes:
    """JSON as text, changed in what it says or, now and then, as bytes."""
    if chance.random() < 0.2:
        return of_bytes(content, chance)
    try:
        return json.dumps(of_data(json.loads(content), chance)).encode()
    except (ValueError, RecursionError):
        return of_bytes(content, chance)


def of_array(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Another array like it: other shape, dtype or values."""
    kind = chance.randrange(5)
    if kind == 0:
        return array.reshape(-1)
    if kind == 1:
        return np.concatenate([array.reshape(-1)] * 2)[: chance.randrange(2 * array.size + 1)]
    if kind == 2:
        with np.errstate(all="ignore"):
            return array.astype(chance.choice(DTYPES))
    if kind == 3 or not array.size:
        return array.T.copy() if array.ndim == 2 else array[:, None]
    result = array.copy()
    with np.errstate(all="ignore"):
        result.reshape(-1)[chance.randrange(array.size)] = np.float64(chance.choice(FLOATS)).astype(array.dtype)
    return result


def of_message(message: object, chance: random.Random) -> None:
    """Changes one field somewhere in a protocol buffer."""
    while True:
        fields = [field for field, _ in message.ListFields()]
        if not fields or chance.random() < 0.1:
            fields = list(message.DESCRIPTOR.fields)
        field = chance.choice(fields)
        held = getattr(message, field.name)
        repeated = not isinstance(held, (int, float, str, bytes)) and hasattr(held, "__len__")
        if field.message_type is not None:
            if repeated and (not len(held) or chance.random() < 0.2):
                _of_messages(held, chance)
                return
            message = chance.choice(held) if repeated else held
            continue
        new = _field_value({1: float, 2: float, 9: str, 12: bytes}.get(field.type, int), held, chance)
        try:
            if not repeated:
                setattr(message, field.name, new)
            elif len(held) and chance.random() < 0.6:
                held[chance.randrange(len(held))] = new
            else:
                held.append(new)
        except (TypeError, ValueError):  # out of the range of the field, or no such value of an enumeration
            continue
        return


def _field_value(kind: type, held: object, chance: random.Random) -> object:
    if kind is float:
        return chance.choice(FLOATS)
    if kind is str:
        return chance.choice([*(text for text in TEXTS if text != "\0"), "X", "Relu", "Gemm", "Softmax", "outputs"])
    if kind is bytes:
        return of_bytes(held if isinstance(held, bytes) else b"", chance)
    return chance.choice([0, 1, 2, 3, 7, 11, 2**31 - 1, -1])


def _of_messages(held: object, chance: random.Random) -> None:
    if not len(held):
        held.add()
    elif chance.random() < 0.5:
        del held[chance.randrange(len(held))]
    else:
        held.add().CopyFrom(chance.choice(list(held)[:-1] or list(held)))
