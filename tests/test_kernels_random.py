"""Philox against its published vectors; numbers and masks made of it against the oracles."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, unpack

from fastnn._runtime import instruction_sets

VARIANTS = [(isa, dtype) for isa in instruction_sets.available() for dtype in ("float32", "float64")]
SENTINEL = -3.0
# Random123's kat_vectors for philox4x32-10: counter, key, result.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.fixture(params=VARIANTS, ids="-".join)
def k(request):
    return kernels(*request.param)


def hexadecimal(text):
    return [int(word, 16) for word in text.split()]


def philox(k, seed, first, step, stream, n_blocks):
    words = np.full(4 * n_blocks + 4, 99, np.uint32)
    k.random.philox(seed, first, step, stream, words, n_blocks)
    assert (words[4 * n_blocks :] == 99).all()
    return words[: 4 * n_blocks].reshape(n_blocks, 4)


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN_ANSWERS)
def test_known_answers(k, counter, key, result):
    c, s = hexadecimal(counter), hexadecimal(key)
    assert philox(k, s[0] | s[1] << 32, c[0] | c[1] << 32, c[2], c[3], 1).tolist() == [hexadecimal(result)]
    assert oracles.philox(c, s).tolist() == hexadecimal(result)


def test_philox_in_any_number_of_blocks(k):
    seed, step, stream = 0x123456789ABCDEF0, 0x0003_0002_0000_0007, 0xDEADBEEF
    for first in (0, 5, 2**32 - 3, 2**64 - 40):
        expected = oracles.words(seed, [first + i for i in range(40)], step, stream)
        for n in (0, 1, 15, 16, 17, 40):
            assert np.array_equal(philox(k, seed, first, step, stream, n), expected[:n])


@pytest.mark.parametrize("count", [0, 1, 3, 63, 64, 65, 1000])
def test_uniform(k, count):
    out = np.full(count + 1, SENTINEL)
    k.random.uniform(2**63 + 5, 11, out, count)
    assert np.array_equal(out[:count], oracles.uniform(2**63 + 5, 11, count))
    assert out[count] == SENTINEL


@pytest.mark.parametrize("count", [0, 1, 3, 63, 64, 65, 1000])
def test_normal(k, count):
    out = np.full(count + 1, SENTINEL)
    k.random.normal(2**63 + 5, 11, out, count)
    np.testing.assert_allclose(out[:count], oracles.normal(2**63 + 5, 11, count), 1e-14, 1e-14)
    assert out[count] == SENTINEL


def test_the_same_bits_in_every_instruction_set():
    found = set()
    for variant in VARIANTS:
        u, z = np.zeros(5000), np.zeros(5000)
        kernels(*variant).random.uniform(7, 1, u, 5000)
        kernels(*variant).random.normal(7, 1, z, 5000)
        found.add(u.tobytes() + z.tobytes())
    assert len(found) == 1


def test_moments(k):
    u, z = np.zeros(200_000), np.zeros(200_000)
    k.random.uniform(1, 0, u, len(u))
    k.random.normal(1, 0, z, len(z))
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 0.003
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    assert 3.9 < abs(z).max() < 5.9


def dropout_mask(k, seed, step, stream, rate, first_row, rows, n, r0=0, r1=None):
    panels = np.full((-(-n // k.panel), rows, k.panel), SENTINEL, k.dtype)
    k.random.dropout_mask(panels, seed, step, stream, rate, first_row, rows, n, r0, rows if r1 is None else r1)
    return panels


def test_dropout_mask_of_every_size(k):
    seed, step, stream = 0xFEDCBA9876543210, 2**35 + 3, 42
    for n in sorted({1, 2, 3, 4, 5, 10, 15, 16, 17, k.panel - 1, k.panel, k.panel + 1, 67}):
        panels = dropout_mask(k, seed, step, stream, 0.3, 100, 9, n, 2, 7)
        expected = oracles.dropout_mask(seed, step, stream, 0.3, range(102, 107), n).astype(k.dtype)
        assert np.array_equal(unpack(panels[:, 2:7], n), expected), n
        assert (panels[:, :2] == SENTINEL).all(), n
        assert (panels[:, 7:] == SENTINEL).all(), n
        padding = panels[-1, 2:7, n % k.panel :] if n % k.panel else np.zeros(0)
        assert not padding.any(), n


@pytest.mark.parametrize("rate", [0.0, 2.0**-25, 0.1, 0.5, 1 / 3, 0.999, 1 - 2.0**-24])
def test_dropout_rates(k, rate):
    mask = unpack(dropout_mask(k, 1, 2, 3, rate, 0, 64, 64), 64)
    assert np.array_equal(mask, oracles.dropout_mask(1, 2, 3, rate, range(64), 64).astype(k.dtype))
    assert set(np.unique(mask)) <= {0, k.dtype.type(1 / (1 - rate))}
    assert abs((mask == 0).mean() - rate) < 0.04


def test_the_dropout_threshold_is_rounded_up(k):
    word = int(philox(k, 1, 0, 2, 3, 1)[0, 0]) >> 8  # of row 0, unit 0
    for numerator, kept in ((word - 0.5, True), (word, True), (word + 0.5, False), (word + 1, False)):
        mask = dropout_mask(k, 1, 2, 3, numerator / 2**24, 0, 1, 4)
        assert (mask[0, 0, 0] > 0) == kept


def test_dropout_rows_may_be_split(k):
    whole = dropout_mask(k, 5, 6, 7, 0.5, 0, 20, 37)
    parts = [dropout_mask(k, 5, 6, 7, 0.5, first, 5, 37) for first in range(0, 20, 5)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_dropout_differs_by_seed_step_stream_and_row(k):
    def mask(seed=1, step=1, stream=1, first_row=0):
        return dropout_mask(k, seed, step, stream, 0.5, first_row, 4, 40).tobytes()

    masks = [
        mask(),
        mask(seed=2),
        mask(seed=2**32 + 1),
        mask(step=2),
        mask(step=2**32 + 1),
        mask(stream=2),
        mask(first_row=4),
    ]
    assert len(set(masks)) == len(masks)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(VARIANTS),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.99),
    st.integers(0, 2**31),
    st.integers(1, 6),
    st.integers(1, 100),
)
def test_any_dropout_mask(variant, seed, step, stream, rate, first_row, rows, n):
    k = kernels(*variant)
    got = unpack(dropout_mask(k, seed, step, stream, rate, first_row, rows, n), n)
    expected = oracles.dropout_mask(seed, step, stream, rate, range(first_row, first_row + rows), n)
    assert np.array_equal(got, expected.astype(k.dtype))


def test_multiply(k):
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 4 * k.panel)).astype(k.dtype)
    y = np.full_like(x, SENTINEL)
    k.random.multiply(x, mask, y, 3 * k.panel)
    assert np.array_equal(y[: 3 * k.panel], (x * mask)[: 3 * k.panel])
    assert (y[3 * k.panel :] == SENTINEL).all()
    expected = x * mask
    k.random.multiply(x, mask, x, 4 * k.panel)
    assert np.array_equal(x, expected)
