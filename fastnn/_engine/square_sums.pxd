# Sums of squares over parameters or gradients: the norm that clipping looks at, and the weights' for a penalty.

from fastnn._engine.run cimport Run, SquareSum
from fastnn._engine.sums cimport lane_sum
from fastnn._kernels.table cimport real


cdef inline double sum_squares(const Run* run, const char* arena, const SquareSum* sum) noexcept nogil:
    cdef const real* values = <const real*> (arena + sum.offset)
    if sum.is_transposed:
        return run.network.program.optimizers.narrow_sum_squares(values, sum.columns, sum.rows)
    return run.network.program.optimizers.sum_squares(values, sum.rows, sum.columns, sum.first_output)


cdef inline double squared_weights(Run* run) noexcept nogil:
    """Return the sum of the squares of what penalties apply to."""
    cdef ssize_t i
    cdef const SquareSum* sum
    for i in range(run.network.n_square_sums):
        sum = &run.network.square_sums[i]
        run.network.squares[i] = sum_squares(run, run.network.parameters, sum) if sum.is_weight else 0
    return lane_sum(run.network.squares, run.network.n_square_sums)


cdef inline double clip_scale(double limit, double norm) noexcept nogil:
    """Return min(1, limit / norm), with PyTorch's guard against a norm of zero."""
    cdef double scale = limit / (norm + 1e-6)
    return scale if scale < 1 else 1
