# The rows of a run or a prediction, dense or sparse, read where they lie.

from libc.stdint cimport int64_t

from fastnn._engine.program cimport Program, Tape
from fastnn._kernels.table cimport SparseRows, real


cdef struct Inputs:
    bint is_sparse
    const char* x                # dense rows
    ssize_t row, column          # strides in bytes
    SparseRows entries           # sparse rows
    bint is_direct               # the operations that read them take the entries; else they become dense rows


cdef inline Inputs dense_inputs(const Py_buffer* rows) noexcept:
    cdef Inputs inputs
    inputs.is_sparse = inputs.is_direct = False
    inputs.entries.values, inputs.entries.columns, inputs.entries.starts = NULL, NULL, NULL
    inputs.x, inputs.row, inputs.column = <const char*> rows.buf, rows.strides[0], rows.strides[1]
    return inputs


cdef inline void take_rows(const Program* program, Tape* tape, const Inputs* inputs, const int64_t* index,
                           ssize_t first, ssize_t r0, ssize_t r1) noexcept nogil:
    """Set rows r0..r1 of the network's inputs: row index[r], or first + r where index is NULL."""
    cdef real* x = <real*> tape.slots[0].y
    tape.entries = NULL
    if not inputs.is_sparse:
        program.batch.gather(inputs.x, inputs.row, inputs.column, index, first, program.n_inputs, x, tape.rows, r0, r1)
    elif not inputs.is_direct:
        program.sparse.gather(&inputs.entries, index, first, program.n_inputs, x, tape.rows, r0, r1)
    else:
        tape.entries, tape.index, tape.first = &inputs.entries, index, first
