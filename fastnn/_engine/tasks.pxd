from fastnn._engine.memory cimport Arena
from fastnn._engine.model cimport Model
from fastnn._engine.run cimport Network

cdef Arena new_tasks(Network* network, Model model, list groups)
