# Sparse rows as the engine reads them.

from libc.stdint cimport int32_t, int64_t

from fastnn._engine.inputs cimport Inputs
from fastnn._engine.program cimport Program


cdef class SparseMatrix:         # rows in CSR, validated
    cdef Py_buffer values_view, columns_view, starts_view
    cdef int n_views
    cdef readonly object values, columns, starts
    cdef readonly tuple shape
    cdef dict largest            # most entries of any rows, by how many rows

    cdef Inputs inputs(self, const Program* program) noexcept
    cdef ssize_t count(self) noexcept
    cdef ssize_t most_entries(self, ssize_t n_rows) except -1
