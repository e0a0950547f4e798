"""The arrays of a run, as pointers and strides."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer

from fastnn._engine.inputs cimport Inputs, dense_inputs
from fastnn._engine.program cimport Program
from fastnn._engine.sparse cimport SparseMatrix


cdef class Data:
    """Holds X (n, features) or a SparseMatrix, y (n,) int64 or (n, targets), weights (n,) float64 or None, order (n,)
    int64 or None.

    The arrays were validated by the caller; rows are read where they lie, never copied.
    """

    def __cinit__(self, X, y, weights=None, order=None):
        PyObject_GetBuffer(y, &self.y_view, PyBUF_STRIDES)
        self.n_views = 1
        if isinstance(X, SparseMatrix):
            self.sparse = X
            self.n = len(X)
        else:
            PyObject_GetBuffer(X, &self.x_view, PyBUF_STRIDES)
            self.n_views = 2
            self.n = self.x_view.shape[0]
        self.y, self.y_row = <const char*> self.y_view.buf, self.y_view.strides[0]
        self.has_labels = self.y_view.ndim == 1
        if not self.has_labels:
            self.n_targets, self.y_column = self.y_view.shape[1], self.y_view.strides[1]
        if weights is not None:
            PyObject_GetBuffer(weights, &self.weights_view, PyBUF_SIMPLE)
            self.weights = <const double*> self.weights_view.buf
        if order is not None:
            PyObject_GetBuffer(order, &self.order_view, PyBUF_SIMPLE)
            self.order = <const int64_t*> self.order_view.buf

    def __dealloc__(self):
        if self.n_views > 0:
            PyBuffer_Release(&self.y_view)
        if self.n_views > 1:
            PyBuffer_Release(&self.x_view)
        if self.weights != NULL:
            PyBuffer_Release(&self.weights_view)
        if self.order != NULL:
            PyBuffer_Release(&self.order_view)

    cdef Inputs inputs(self, const Program* program) noexcept:
        """Return the rows for a program."""
        if self.sparse is not None:
            return self.sparse.inputs(program)
        return dense_inputs(&self.x_view)
