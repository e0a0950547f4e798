"""How the parameters of a run are cut into tasks, which threads share, and into sums of squares."""

from fastnn._engine.memory cimport PADDING, Arena, cut
from fastnn._engine.model cimport Model
from fastnn._engine.operations.dense cimport needs_transposed
from fastnn._engine.operations.kinds cimport DENSE
from fastnn._engine.program cimport Operation, Program, panels_of
from fastnn._engine.run cimport Network, SquareSum, Task
from fastnn._engine.tensors cimport STATE, Tensor


cdef Arena new_tasks(Network* network, Model model, list groups):
    """Cut every trained tensor into tasks of a panel by a panel, and into sums of sixteen outputs.

    ``groups`` holds the number of each tensor's group.
    """
    cdef const Program* program = &network.program
    cdef ssize_t t, row_panel, column_panel, end = 0
    cdef char* next
    cdef Tensor* tensor
    cdef Task* task
    cdef Arena arena
    network.n_tasks = network.n_square_sums = 0
    for t in range(model.n_tensors):
        tensor = &model.layout[t]
        if tensor.role != STATE:
            network.n_tasks += panels_of(program, tensor.rows) * panels_of(program, tensor.columns)
            network.n_square_sums += n_square_sums(tensor)
    arena = Arena(network.n_tasks * sizeof(Task) + network.n_square_sums * (sizeof(SquareSum) + sizeof(double))
                  + 3 * PADDING)
    next = arena.base
    network.tasks = <Task*> cut(&next, network.n_tasks * sizeof(Task))
    network.square_sums = <SquareSum*> cut(&next, network.n_square_sums * sizeof(SquareSum))
    network.squares = <double*> cut(&next, network.n_square_sums * sizeof(double))
    network.n_tasks = network.n_square_sums = 0
    for t in range(model.n_tensors):
        tensor = &model.layout[t]
        if tensor.role == STATE:
            continue
        for column_panel in range(panels_of(program, tensor.columns)):
            for row_panel in range(panels_of(program, tensor.rows)):
                task = &network.tasks[network.n_tasks]
                set_task(program, task, tensor, row_panel, column_panel)
                task.group = groups[t]
                end += task.work
                task.end = end
                network.n_tasks += 1
        for number in range(n_square_sums(tensor)):
            set_square_sum(&network.square_sums[network.n_square_sums], tensor, 16 * number)
            network.n_square_sums += 1
    return arena


cdef ssize_t n_square_sums(const Tensor* tensor) noexcept:
    return 1 if tensor.is_transposed else (tensor.columns + 15) // 16


cdef void set_task(const Program* program, Task* task, const Tensor* tensor, ssize_t row_panel,
                   ssize_t column_panel) noexcept:
    cdef const Operation* op = &program.operations[tensor.operation]
    cdef ssize_t width = program.panel
    task.operation, task.role = tensor.operation, tensor.role
    task.row_panel, task.column_panel = row_panel, column_panel
    task.offset = tensor.offset + (column_panel * tensor.rows + row_panel * width) * width * program.item
    task.count = min(width, tensor.rows - row_panel * width) * width
    task.width = min(width, tensor.columns - column_panel * width)
    task.work = task.count // width * (2 if 2 * task.width > width else 1)
    task.is_narrow = tensor.is_transposed
    task.is_transposed = op.kind == DENSE and not tensor.is_vector and needs_transposed(op)
    # The vectors of a narrow layer hold inputs, whose padding may be anything.
    task.has_factors = not tensor.is_vector and (not tensor.is_transposed or task.width == width)
    task.input_panel = -1
    if not tensor.is_vector and op.operands[0].value == 0:
        task.input_panel = column_panel if tensor.is_transposed else row_panel


cdef void set_square_sum(SquareSum* sum, const Tensor* tensor, ssize_t first_output) noexcept:
    sum.offset, sum.rows, sum.columns = tensor.offset, tensor.rows, tensor.columns
    sum.first_output, sum.is_transposed, sum.is_weight = first_output, tensor.is_transposed, not tensor.is_vector
