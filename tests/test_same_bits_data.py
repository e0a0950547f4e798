"""The same bits whatever the layout of the data, and of data that are prepared under any environment."""

import functools

import numpy as np
import pytest
from floating_point import ENVIRONMENTS, environment, needs_fenv
from same_bits_cases import labels, rows_of, weights

import fastnn as fn


def misaligned(array):
    memory = np.empty(array.nbytes + 1, dtype=np.uint8)[1:]
    result = memory.view(array.dtype).reshape(array.shape)
    result[...] = array
    assert not result.flags.aligned
    return result


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "part of a table": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]] if a.ndim == 2 else a.copy(),
    "misaligned": misaligned,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


def prepared(X, y):
    """What preparing the data gives: of values, whatever their layout, in the native one."""
    parts = fn.data.split(X, y, 0.15, seed=3, stratify=True)
    parts += fn.data.split(X, y, 0.35, seed=4)
    scaler = fn.data.Standardizer().fit(parts[0])
    found = [*parts, scaler.mean, scaler.scale, *(scaler.transform(part) for part in (parts[0], parts[1]))]
    found += [fn.data.standardize(X)]
    native = [np.ascontiguousarray(array, array.dtype.newbyteorder("=")) for array in found]
    kept = [(array.shape, array.dtype, array.tobytes()) for array in native]
    return kept, fn.data.fingerprint(X, y)


@functools.cache
def raw(dtype):
    values = rows_of(130, 5, "float64") * 37 + np.arange(5) * 11
    y = labels(130, 4)
    return values.astype(dtype), y


DATA_DTYPES = ["float32", "float64", "int64", "int16"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("data_dtype", DATA_DTYPES)
def test_preparing_the_data_does_not_depend_on_their_layout(data_dtype, layout):
    X, y = raw(data_dtype)
    change = LAYOUTS[layout]
    assert prepared(change(X), change(y)) == prepared(X, y)


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("scale", [1, 2.0**-140, 2.0**-1060])
@pytest.mark.parametrize("data_dtype", ["float32", "float64"])
def test_preparing_the_data_does_not_depend_on_the_environment(isa, data_dtype, name, scale):
    """Also of numbers that are denormal, as features and as strata."""
    X, y = raw("float64")
    X, y = (X * scale).astype(data_dtype), y * scale
    expected = prepared(X, y)
    with environment(name):
        found = prepared(X, y)
    assert found == expected


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_how_many_rows_are_held_out_does_not_depend_on_the_environment(name):
    pairs = [(n, k / 20) for n in range(20, 300, 7) for k in range(1, 20)]

    def counts_of_parts():
        return [len(fn.data.split_rows(n, fraction)[1]) for n, fraction in pairs]

    expected = counts_of_parts()
    with environment(name):
        assert counts_of_parts() == expected


def test_the_embedded_data_are_the_same_everywhere():
    X, y = fn.data.load_digits()
    assert (X.dtype, y.dtype) == (np.dtype("float32"), np.dtype("int64"))
    assert fn.data.fingerprint(X, y) == "68fcabba70b13608dc929a17bdcfec0e1d419e2f2881134d3c0910617ae2848f"
    parts = fn.data.split(X, y, 0.2, seed=0, stratify=True)
    assert fn.data.fingerprint(parts[0], parts[2]) == (
        "232fe8877994f28d45060f1bc59bb3a1a27201d4cde8160d8e8a261d14601c09"
    )
    scaled = fn.data.standardize(parts[0], parts[1])
    assert fn.data.fingerprint(*scaled) == "f5bc820017888ffcdbf3572b315717dd484ab4977ea3e15884f990fe11cd4bfd"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_does_not_depend_on_the_layout_of_the_data(isa, dtype, layout):
    X, y, weight = rows_of(130, 6, dtype), labels(130, 5), weights(130)
    change, digests = LAYOUTS[layout], []
    for convert in (np.ascontiguousarray, change):
        net = fn.Network([fn.Input(6), fn.Dense(9, "relu"), fn.Dense(5)], seed=3, dtype=dtype)
        trainer = fn.Trainer(net, "cross_entropy", fn.Adam(0.01), 20, class_weight="balanced", metrics=["top_k"])
        data = convert(X), convert(y), convert(weight)
        history = trainer.fit(*data[:2], 2, sample_weight=data[2], validation_data=data)
        loss = trainer.step(*data)
        text = repr((dict(history), loss, trainer.evaluate(*data)))
        digests.append((net.digest(), text, net.predict(data[0]).tobytes()))
    assert digests[0] == digests[1]
