"""Random numbers and sums by the numerics contract, over NumPy arrays.

All are computed by the kernels, so that they are the same bits on every machine.
"""

import numpy as np

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
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

MAX_SHUFFLED = 2**32             # rows: a key and the row's number are sorted as one whole number of 64 bits


def use(random64, batch_float32, batch_float64):
    """Sets the kernels that compute: capsules of the random kernels for float64 and of the batch kernels."""
    global kernels, batch32, batch64
    kernels = <RandomKernels*> PyCapsule_GetPointer(random64, "fastnn.random")
    batch32 = <BatchKernels*> PyCapsule_GetPointer(batch_float32, "fastnn.batch")
    batch64 = <BatchKernels*> PyCapsule_GetPointer(batch_float64, "fastnn.batch")


def permutation(ssize_t n, uint64_t seed, uint64_t epoch):
    """The order of rows in an epoch: int64 (n,), row numbers sorted by (random key, row number)."""
    if n > MAX_SHUFFLED:
        raise ValueError(f"at most {MAX_SHUFFLED:,} rows can be shuffled; got {n:,}")
    cdef uint64_t[::1] rows = np.empty(n, dtype=np.uint64), spare = np.empty(n, dtype=np.uint64)
    cdef uint32_t[::1] keys = np.empty((n + 3) // 4 * 4, dtype=np.uint32)
    cdef ssize_t i, shift
    if n == 0:
        return np.empty(0, dtype=np.int64)
    with nogil:
        kernels.philox(seed, 0, epoch, SHUFFLE_STREAM, &keys[0], (n + 3) // 4)
        for i in range(n):
            rows[i] = <uint64_t> keys[i] << 32 | <uint64_t> i
        # Three stable passes: the keys' low, middle and high bits. Equal keys stay in the order of their rows.
        for shift in range(3):
            sort_by_digit(&rows[0], &spare[0], n, 32 + DIGIT * <int> shift)
            rows, spare = spare, rows
        for i in range(n):
            rows[i] = <uint32_t> rows[i]
    return np.asarray(rows).view(np.int64)


cdef void sort_by_digit(const uint64_t* source, uint64_t* target, ssize_t n, int shift) noexcept nogil:
    cdef ssize_t[DIGITS] start
    cdef ssize_t i, digit, count, total = 0
    memset(start, 0, sizeof(start))
    for i in range(n):
        start[(source[i] >> shift) & (DIGITS - 1)] += 1
    for digit in range(DIGITS):
        count = start[digit]
        start[digit] = total
        total += count
    for i in range(n):
        digit = (source[i] >> shift) & (DIGITS - 1)
        target[start[digit]] = source[i]
        start[digit] += 1


def uniform(uint64_t seed, uint32_t stream, shape):
    """Uniform numbers in [0, 1), multiples of 2**-24, as float64."""
    out = np.empty(shape)
    cdef double[::1] flat = out.reshape(-1)
    if len(flat):
        with standard_environment():
            kernels.uniform(seed, stream, &flat[0], len(flat))
    return out


def normal(uint64_t seed, uint32_t stream, shape):
    """Standard normal numbers, by Box and Muller's method, as float64."""
    out = np.empty(shape)
    cdef double[::1] flat = out.reshape(-1)
    if len(flat):
        with standard_environment():
            kernels.normal(seed, stream, &flat[0], len(flat))
    return out


def lane_sum(a):
    """The contract's sum of a float64 vector: 16 lanes by index mod 16, joined 8-4-2-1."""
    cdef const double[::1] values = np.ascontiguousarray(a, dtype=np.float64)
    with standard_environment():
        return sum_of_lanes(&values[0], len(values)) if len(values) else 0.0


def first_nonfinite(a):
    """The flat index of the first NaN or infinity in a float32 or float64 array of one or two dimensions, or -1."""
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
