# Parameter tensors as they lie in an arena: panels of columns.

cdef enum Role:
    WEIGHT, BIAS                 # trained
    STATE                        # kept beside them and saved with them; no gradient

cdef struct Tensor:              # inputs by outputs; of a narrow layer transposed
    ssize_t operation            # position in the program
    int role
    bint is_vector               # of one row
    bint is_transposed
    ssize_t rows, columns
    ssize_t offset, size         # bytes in the arena of parameters, and in each arena laid out like it

cdef enum:
    MAX_TENSORS = 4              # of an operation


cdef inline Tensor vector(int role, ssize_t n) noexcept:
    """Describe a tensor of one number for each unit."""
    cdef Tensor tensor
    tensor.operation = tensor.offset = tensor.size = 0
    tensor.role, tensor.is_vector, tensor.is_transposed = role, True, False
    tensor.rows, tensor.columns = 1, n
    return tensor


cdef inline Tensor matrix(int role, ssize_t n_in, ssize_t n_out, bint is_transposed) noexcept:
    """Describe a tensor of one number for each input of each output."""
    cdef Tensor tensor
    tensor.operation = tensor.offset = tensor.size = 0
    tensor.role, tensor.is_vector, tensor.is_transposed = role, False, is_transposed
    tensor.rows, tensor.columns = (n_out, n_in) if is_transposed else (n_in, n_out)
    return tensor
