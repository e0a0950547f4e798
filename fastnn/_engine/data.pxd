from libc.stdint cimport int64_t

from fastnn._engine.inputs cimport Inputs
from fastnn._engine.program cimport Program
from fastnn._engine.sparse cimport SparseMatrix


cdef class Data:                 # the arrays of a run, kept while it lasts
    cdef Py_buffer x_view, y_view, weights_view, order_view
    cdef int n_views
    cdef SparseMatrix sparse     # or None
    cdef const char* y
    cdef ssize_t n, y_row, y_column, n_targets     # strides in bytes
    cdef bint has_labels         # y holds int64 class numbers, else reals [n, n_targets]
    cdef const double* weights
    cdef const int64_t* order

    cdef Inputs inputs(self, const Program* program) noexcept
