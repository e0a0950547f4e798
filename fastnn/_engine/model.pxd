from fastnn._engine.inputs cimport Inputs
from fastnn._engine.memory cimport Arena
from fastnn._engine.plan cimport Plan
from fastnn._engine.program cimport Operation, Program, Tape
from fastnn._engine.sparse cimport SparseMatrix
from fastnn._engine.tensors cimport Tensor

cdef struct Prediction:
    Program* program
    Tape* tapes
    ssize_t n
    Inputs inputs
    char* out
    ssize_t out_row, out_column


cdef class Model:
    cdef Program program
    cdef Arena operations_arena, parameters
    cdef Plan plan
    cdef Tensor* layout
    cdef readonly ssize_t n_tensors, n_inputs, n_outputs
    cdef readonly str dtype
    cdef readonly tuple operations
    cdef ssize_t version         # rises whenever a parameter changes
    cdef object kernel_tables
    cdef dict positions          # of the tensors, by operation and kind
    cdef list spare              # tapes of earlier predictions

    cdef int find_kernels(self, tables) except -1
    cdef int lay_out_program(self, operations) except -1
    cdef bint joins(self, ssize_t value, const Operation* activation) noexcept
    cdef int allocate_parameters(self) except -1
    cdef int predict(self, Prediction* job, double multiply_adds, out, int threads) except -1
    cdef double sparse_multiply_adds(self, SparseMatrix X) noexcept
    cdef object tapes(self, ssize_t rows, int threads, bint has_inputs)
    cdef object panels(self, Arena arena, ssize_t t)
    cdef double multiply_adds(self) noexcept


cdef class Tapes:                # of a prediction, one a thread
    cdef Arena arena
    cdef Tape* first
    cdef readonly ssize_t rows, n
    cdef bint has_inputs
    cdef char* lay_out(self, Model model, char* next, bint measures) noexcept


cdef enum:
    BLOCK_ROWS = 128             # rows that a thread takes through the network at a time when predicting
    # Multiply-adds that each thread must have for a second thread to be worth while:
    WORTH_A_WAKE = 500_000       # where the second thread has to be woken for them
    WORTH_A_TRIAL = 40_000       # where it is awake, and the time of both ways is taken

cdef int choose_threads(int threads, double multiply_adds, double worth) noexcept
