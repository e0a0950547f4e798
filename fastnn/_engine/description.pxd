# From the description of an operation to the operation.

from fastnn._engine.program cimport Operation, Program

cdef int describe(Program* program, Operation* op, kind, ssize_t n_in, dict given) except -1
