# What a run is told of its loss and its optimizer.

from fastnn._engine.run cimport Run

cdef object set_loss(Run* run, dict given)
cdef int set_optimizer(Run* run, dict given) except -1
cdef list set_groups(Run* run, list tensors, groups, bint decay_all)
