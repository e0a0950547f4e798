from fastnn._engine.program cimport Tape
from fastnn._engine.run cimport Batch, Run

cdef void run_steps(void* context, int thread, int n_threads) noexcept nogil
cdef ssize_t rows_phase(Run* run, const Batch* batch, ssize_t chunk, const Tape* given, int thread,
                        int n_threads) noexcept nogil
cdef double clock() noexcept nogil
