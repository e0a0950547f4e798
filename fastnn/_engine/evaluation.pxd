from fastnn._engine.data cimport Data
from fastnn._engine.model cimport Model
from fastnn._engine.program cimport Program
from fastnn._kernels.table cimport LossBatch, LossKernel

cdef tuple evaluate(Model model, Program program, const LossKernel* kernel, LossBatch loss, Data data, out,
                    int threads)
