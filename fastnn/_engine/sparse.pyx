"""Sparse rows: a matrix in CSR as the engine holds it, and what the Python layer asks of one."""

import numpy as np

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from fastnn._engine.inputs cimport Inputs
from fastnn._engine.program cimport Program
from fastnn._kernels.table cimport real

cdef enum:
    ELEMENTS_AN_ENTRY = 8        # of dense rows, whose products take about as long as those of one entry


cdef class SparseMatrix:
    """A matrix of rows in CSR, entry by entry as the caller has checked it: see `first_fault`.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (n_entries,) or longer, contiguous
    columns : ndarray of int32, as long, contiguous
        Ascending within a row, none twice.
    starts : ndarray of int64, shape (n + 1,), contiguous
        Row r has the entries from ``starts[r]`` to ``starts[r + 1]``.
    n_columns : int
    """

    def __cinit__(self, values, columns, starts, n_columns):
        self.values, self.columns, self.starts = values, columns, starts
        self.shape = (len(starts) - 1, n_columns)
        self.largest = {}
        PyObject_GetBuffer(values, &self.values_view, PyBUF_SIMPLE)
        self.n_views = 1
        PyObject_GetBuffer(columns, &self.columns_view, PyBUF_SIMPLE)
        self.n_views = 2
        PyObject_GetBuffer(starts, &self.starts_view, PyBUF_SIMPLE)
        self.n_views = 3

    def __dealloc__(self):
        if self.n_views > 0:
            PyBuffer_Release(&self.values_view)
        if self.n_views > 1:
            PyBuffer_Release(&self.columns_view)
        if self.n_views > 2:
            PyBuffer_Release(&self.starts_view)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Return some rows: of a slice without step, the same entries; of an array of row numbers, a copy."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return SparseMatrix(self.values, self.columns, self.starts[start:stop + 1], self.shape[1])
        return self.copied(np.ascontiguousarray(rows, dtype=np.int64))

    def copied(self, const int64_t[::1] rows):
        cdef const int64_t* starts = <const int64_t*> self.starts_view.buf
        cdef ssize_t r, count, item = self.values.itemsize, n = len(rows)
        found_starts = np.empty(n + 1, dtype=np.int64)
        cdef int64_t[::1] ends = found_starts
        ends[0] = 0
        for r in range(n):
            ends[r + 1] = ends[r] + starts[rows[r] + 1] - starts[rows[r]]
        values = np.empty(ends[n], dtype=self.values.dtype)
        columns = np.empty(ends[n], dtype=np.int32)
        cdef SparseMatrix result = SparseMatrix(values, columns, found_starts, self.shape[1])
        for r in range(n):
            count = ends[r + 1] - ends[r]
            memcpy(<char*> result.values_view.buf + ends[r] * item,
                   <const char*> self.values_view.buf + starts[rows[r]] * item, count * item)
            memcpy(<int32_t*> result.columns_view.buf + ends[r],
                   <const int32_t*> self.columns_view.buf + starts[rows[r]], count * sizeof(int32_t))
        return result

    cdef ssize_t count(self) noexcept:
        """Return the number of entries."""
        cdef const int64_t* starts = <const int64_t*> self.starts_view.buf
        return starts[self.starts_view.len // <ssize_t> sizeof(int64_t) - 1] - starts[0]

    cdef Inputs inputs(self, const Program* program) noexcept:
        """Return the rows for a program, and whether the operations that read them take their entries as they are.

        What they take instead, dense rows made a batch at a time, is for operations that need every input, and faster
        where there are many entries. The results are the same.
        """
        cdef Inputs found
        cdef double elements = <double> len(self) * self.shape[1]
        found.is_sparse, found.x, found.row, found.column = True, NULL, 0, 0
        found.entries.values = <const real*> self.values_view.buf
        found.entries.columns = <const int32_t*> self.columns_view.buf
        found.entries.starts = <const int64_t*> self.starts_view.buf
        found.is_direct = <double> self.count() * ELEMENTS_AN_ENTRY <= elements and program.takes_entries
        return found

    cdef ssize_t most_entries(self, ssize_t n_rows) except -1:
        """Return the most entries that any n_rows of the rows have."""
        if n_rows >= len(self):
            return self.count()
        if n_rows not in self.largest:
            counts = self.starts[1:] - self.starts[:-1]
            self.largest[n_rows] = int(np.partition(counts, len(counts) - n_rows)[len(counts) - n_rows:].sum())
        return self.largest[n_rows]


def first_fault(const int64_t[::1] starts, const int32_t[::1] columns, ssize_t n_columns):
    """Return (what, row, column) of the first thing wrong with the structure of rows in CSR, or None.

    ``what`` is ``"starts"`` where a row begins before 0, or ends before it begins or beyond the last entry;
    ``"range"`` where a column is not there; ``"twice"`` and ``"order"`` where a column does not come after the one
    before it. The latter two are reported only if nothing else is wrong.
    """
    cdef ssize_t r, e, n = len(starts) - 1, n_entries = len(columns), row = -1, column = -1
    cdef int32_t before, j
    cdef bint is_twice = False
    if starts[0] < 0:
        return "starts", 0, -1
    for r in range(n):
        if starts[r + 1] < starts[r] or starts[r + 1] > n_entries:
            return "starts", r, -1
    for r in range(n):
        before = -1
        for e in range(starts[r], starts[r + 1]):
            j = columns[e]
            if j < 0 or j >= n_columns:
                return "range", r, j
            if j <= before and row < 0:
                row, column, is_twice = r, j, j == before
            before = j
    return None if row < 0 else ("twice" if is_twice else "order", row, column)
