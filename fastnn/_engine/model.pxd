from fastnn._engine.memory cimport Arena
from fastnn._engine.program cimport Operation, Program, SparseInput, Tape
from fastnn._engine.sparse cimport SparseMatrix

cdef struct Tensor:              # a parameter as panels of columns: inputs by outputs; of a narrow layer transposed
    ssize_t operation            # position in the program
    bint is_bias
    bint is_vector               # of one row
    bint is_transposed
    ssize_t rows, columns
    ssize_t offset, size         # bytes in the arena of parameters, and in each arena laid out like it


cdef struct Prediction:
    Program* program
    Tape* tapes
    ssize_t n
    const char* x
    ssize_t x_row, x_column
    SparseInput sparse
    char* out
    ssize_t out_row, out_column


cdef class Model:
    cdef Program program
    cdef Arena operations_arena, parameters
    cdef Tensor* layout
    cdef readonly ssize_t n_tensors, n_inputs, n_outputs
    cdef readonly str dtype
    cdef readonly tuple operations
    cdef ssize_t version         # rises whenever a parameter changes
    cdef object kernel_tables
    cdef dict positions          # of the tensors, by operation and kind
    cdef list spare              # buffers of earlier predictions

    cdef Operation* new_operation(self, int kind, int index, ssize_t n_in, ssize_t n_out) noexcept
    cdef int allocate_parameters(self) except -1
    cdef void add_tensor(self, ssize_t operation, bint is_bias, bint is_vector, ssize_t rows, ssize_t columns,
                         char** end) noexcept
    cdef int predict(self, Prediction* job, double multiply_adds, out, int threads) except -1
    cdef double sparse_multiply_adds(self, SparseMatrix X) noexcept
    cdef object buffers(self, ssize_t rows, int threads, bint has_inputs)
    cdef object panels(self, Arena arena, ssize_t t)
    cdef double multiply_adds(self) noexcept


cdef class Buffers:              # the tapes of a prediction
    cdef Arena arena
    cdef Tape* tapes
    cdef readonly ssize_t rows, n_tapes
    cdef bint has_inputs
    cdef char* layout(self, Model model, char* next)


cdef enum:
    BLOCK_ROWS = 128             # rows that a thread takes through the network at a time when predicting
    # Multiply-adds: less work than this for each is not worth a second thread ...
    WORTH_A_WAKE = 500_000       # ... that has to be woken for it
    WORTH_A_TRIAL = 40_000       # ... even if it is there: where the time of both ways is taken

cdef int choose_threads(int threads, double multiply_adds, double worth) noexcept
