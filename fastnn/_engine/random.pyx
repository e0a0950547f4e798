"""Random numbers and sums by the numerics contract, over NumPy arrays.

All are computed by the kernels, so that they are the same bits on every machine.
"""

import numpy as np

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from fastnn._engine.sums cimport lane_sum as sum_of_lanes
from fastnn._kernels.table cimport BatchKernels, RandomKernels

from fastnn._engine.environment import standard_environment

cdef RandomKernels* kernels = NULL
cdef BatchKernels* batch32 = NULL
cdef BatchKernels* batch64 = NULL

cdef enum:
    DIGIT = 11                   # bits that a pass of the radix sort looks at
    DIGITS = 1 << DIGIT
    SHUFFLE_STREAM = 1           # of the random numbers
    PIECE = 1 << 22              # rows shuffled between looks for Ctrl-C; a multiple of a Philox block's 4 words

MAX_SHUFFLED = 2**32             # rows: a key and the row's number are sorted as one whole number of 64 bits


def use(random64, batch_float32, batch_float64):
    """Set the kernels that compute: capsules of the random kernels for float64 and of the batch kernels."""
    global kernels, batch32, batch64
    kernels = <RandomKernels*> PyCapsule_GetPointer(random64, "fastnn.random")
    batch32 = <BatchKernels*> PyCapsule_GetPointer(batch_float32, "fastnn.batch")
    batch64 = <BatchKernels*> PyCapsule_GetPointer(batch_float64, "fastnn.batch")


def pieces(ssize_t n, check):
    """Yield (first, last) of pieces of n rows in order; before each, hear Ctrl-C and call check(), which may raise."""
    cdef ssize_t first
    for first in range(0, n, PIECE):
        PyErr_CheckSignals()
        if check is not None:
            check()
        yield first, min(n, first + PIECE)


def permutation(ssize_t n, uint64_t seed, uint64_t epoch, check=None):
    """Draw the order of rows in an epoch: int64 (n,), row numbers sorted by (random key, row number).

    check is called now and then, and ends the work by raising.
    """
    if n > MAX_SHUFFLED:
        raise ValueError(f"at most {MAX_SHUFFLED:,} rows can be shuffled; got {n:,}")
    cdef uint64_t[::1] rows = np.empty(n, dtype=np.uint64), spare = np.empty(n, dtype=np.uint64)
    cdef uint32_t[::1] keys = np.empty((min(n, <ssize_t> PIECE) + 3) // 4 * 4, dtype=np.uint32)
    cdef ssize_t i, first, last
    cdef int shift
    for first, last in pieces(n, check):
        with nogil:
            kernels.philox(seed, first // 4, epoch, SHUFFLE_STREAM, &keys[0], (last - first + 3) // 4)
            for i in range(first, last):
                rows[i] = <uint64_t> keys[i - first] << 32 | <uint64_t> i
    # Three stable passes: the keys' low, middle and high bits. Equal keys stay in the order of their rows.
    for shift in range(32, 32 + 3 * DIGIT, DIGIT):
        sort_by_digit(rows, spare, shift, check)
        rows, spare = spare, rows
    for first, last in pieces(n, check):
        with nogil:
            for i in range(first, last):
                rows[i] = <uint32_t> rows[i]
    return np.asarray(rows).view(np.int64)


cdef int sort_by_digit(const uint64_t[::1] source, uint64_t[::1] target, int shift, check) except -1:
    cdef ssize_t[DIGITS] start
    cdef ssize_t i, first, last, digit, count, total = 0
    memset(start, 0, sizeof(start))
    for first, last in pieces(len(source), check):
        with nogil:
            for i in range(first, last):
                start[(source[i] >> shift) & (DIGITS - 1)] += 1
    for digit in range(DIGITS):
        count = start[digit]
        start[digit] = total
        total += count
    for first, last in pieces(len(source), check):
        with nogil:
            for i in range(first, last):
                digit = (source[i] >> shift) & (DIGITS - 1)
                target[start[digit]] = source[i]
                start[digit] += 1
    return 0


def uniform(uint64_t seed, uint32_t stream, shape):
    """Draw uniform numbers in [0, 1), multiples of 2**-24, as float64."""
    out = np.empty(shape)
    cdef double[::1] flat = out.reshape(-1)
    if len(flat):
        with standard_environment():
            kernels.uniform(seed, stream, &flat[0], len(flat))
    return out


def normal(uint64_t seed, uint32_t stream, shape):
    """Draw standard normal numbers, by Box and Muller's method, as float64."""
    out = np.empty(shape)
    cdef double[::1] flat = out.reshape(-1)
    if len(flat):
        with standard_environment():
            kernels.normal(seed, stream, &flat[0], len(flat))
    return out


def lane_sum(a):
    """Compute the contract's sum of a float64 vector: 16 lanes by index mod 16, joined 8-4-2-1."""
    cdef const double[::1] values = np.ascontiguousarray(a, dtype=np.float64)
    with standard_environment():
        return sum_of_lanes(&values[0], len(values)) if len(values) else 0.0


def first_nonfinite(a):
    """Return the flat index of the first NaN or infinity in a float array of one or two dimensions, or -1."""
    cdef Py_buffer view
    cdef BatchKernels* batch = batch32 if a.dtype == np.float32 else batch64
    cdef ssize_t found = -1
    cdef ssize_t rows
    if a.size == 0:
        return -1
    PyObject_GetBuffer(a, &view, PyBUF_STRIDES)
    rows = view.shape[0] if view.strides[0] else 1       # the same row throughout is looked at once
    try:
        with nogil:
            if view.ndim == 1:
                found = batch.first_nonfinite(<const char*> view.buf, 0, view.strides[0], 1, rows)
            else:
                found = batch.first_nonfinite(<const char*> view.buf, view.strides[0], view.strides[1], rows,
                                              view.shape[1])
    finally:
        PyBuffer_Release(&view)
    return found
