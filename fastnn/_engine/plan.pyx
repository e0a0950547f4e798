"""The planner: which buffers the passes over a program need, and what the operations are spared.

One plan serves training, one prediction. In prediction a buffer is used again once nobody reads what lies in it. In
training all outputs live to the end of the step, for the gradients and for the report of what has diverged; deltas are
shared where an operation works in place.
"""

from fastnn._engine.memory cimport Arena, cut
from fastnn._engine.operations.kinds cimport ACTIVATION, DENSE, Traits, tensors_of, traits_of
from fastnn._engine.program cimport (
    ADDED, IN_PLACE, NOT_HANDED, TRAINING, WRITTEN, Operand, Operation, Program, Slot, Tape, panels_size
)
from fastnn._engine.tensors cimport MAX_TENSORS, STATE, Tensor


# ------------------------------------------------------------- passes over the program

cdef list readers_of(const Program* program):
    """Return how often each value is read; the loss counts as a reader."""
    cdef ssize_t k, i
    readers = [0] * (program.n_operations + 1)
    for k in range(program.n_operations):
        for i in range(program.operations[k].n_operands):
            readers[program.operations[k].operands[i].value] += 1
    readers[program.output] += 1
    return readers


cdef int fold_relus(Program* program) except -1:
    """Let a dense operation multiply by ReLU's derivative where it alone reads what a ReLU wrote."""
    cdef ssize_t k
    cdef Operation* op
    cdef Operation* below
    readers = readers_of(program)
    for k in range(program.n_operations):
        op = &program.operations[k]
        if op.kind != DENSE or op.operands[0].handing != WRITTEN or readers[op.operands[0].value] > 1:
            continue
        below = &program.operations[op.operands[0].value - 1]
        if below.is_relu:
            op.folds_relu = below.is_folded = True
    return 0


cdef int plan_deltas(Program* program) except -1:
    """Say for each operand how dL/dx is handed on to it: not at all where nothing trained lies below."""
    cdef Tensor[MAX_TENSORS] tensors
    cdef Traits traits
    cdef ssize_t k, i, j, n_trained
    cdef Operation* op
    cdef Operand* operand
    is_trained = [False] * (program.n_operations + 1)
    is_reached = [False] * (program.n_operations + 1)
    for k in range(program.n_operations):
        op = &program.operations[k]
        n_trained = 0
        for j in range(tensors_of(op, tensors)):
            n_trained += tensors[j].role != STATE
        is_trained[k + 1] = n_trained > 0 or any([is_trained[op.operands[i].value] for i in range(op.n_operands)])
    for k in range(program.n_operations - 1, -1, -1):
        op = &program.operations[k]
        traits_of(op, &traits)
        values = [op.operands[i].value for i in range(op.n_operands)]
        for i in range(op.n_operands):
            operand = &op.operands[i]
            if not is_trained[operand.value]:
                operand.handing = NOT_HANDED
            elif is_reached[operand.value]:
                operand.handing = ADDED
            elif traits.hands_its_delta and values.count(operand.value) == 1:
                operand.handing = IN_PLACE
                traits.hands_its_delta = False
            else:
                operand.handing = WRITTEN
            is_reached[operand.value] = True
    return 0


cdef bint takes_entries(const Program* program) noexcept:
    """Return whether all that reads the network's inputs can take the entries of sparse rows."""
    cdef ssize_t k, i
    for k in range(program.n_operations):
        for i in range(program.operations[k].n_operands):
            if program.operations[k].operands[i].value == 0 and program.operations[k].kind != DENSE:
                return False
    return True


# --------------------------------------------------------------------- buffers

cdef class Plan:
    """Which buffers a pass needs, and which of them each value of the program lies in."""

    cdef ssize_t new_buffer(self, ssize_t units, bint is_statistics=False) noexcept:
        cdef Buffer* buffer = &self.buffers[self.n_buffers]
        buffer.is_statistics, buffer.units, buffer.users = is_statistics, units, 0
        self.n_buffers += 1
        return self.n_buffers - 1

    cdef int reserve(self, const Program* program) except -1:
        """Take memory for the plan: a value has its own output, z, mask, statistics and delta at most."""
        cdef ssize_t v, n_values = program.n_operations + 1
        self.memory = Arena(n_values * (sizeof(Places) + 5 * sizeof(Buffer)) + sizeof(Buffer))
        self.places = <Places*> (<Arena> self.memory).base
        self.buffers = <Buffer*> (self.places + n_values)
        for v in range(n_values):
            self.places[v] = Places(y=-1, z=-1, mask=-1, statistics=-1, delta=-1)
        self.spare = -1
        return 0

    # ------------------------------------------------------------- prediction

    cdef int plan_prediction(self, const Program* program) except -1:
        cdef Traits traits
        cdef ssize_t k, i, statistics = -1
        cdef const Operation* op
        cdef Places* place
        left = readers_of(program)              # readings still to come, by value
        unused = []                             # buffers
        self.places[0].y = self.new_buffer(0)   # of the inputs themselves only where they are taken as dense rows
        self.buffers[0].users = 1
        for k in range(program.n_operations):
            op = &program.operations[k]
            place = &self.places[k + 1]
            traits_of(op, &traits)
            for i in range(op.n_operands):
                left[op.operands[i].value] -= 1
            place.y = self.place_of_output(op, &traits, left, unused)
            place.z = self.places[op.operands[0].value].y if op.kind == ACTIVATION else place.y
            if traits.keeps_statistics:
                statistics = self.new_buffer(0, True) if statistics < 0 else statistics
                place.statistics = statistics
            self.buffers[place.y].units = max(self.buffers[place.y].units, op.n_out)
            self.buffers[place.y].users += 1
            for value in {op.operands[i].value for i in range(op.n_operands)}:
                if left[value] == 0:
                    self.release(self.places[<ssize_t> value].y, unused)
        return 0

    cdef ssize_t place_of_output(self, const Operation* op, const Traits* traits, list left, list unused) except -1:
        """Return the buffer of an operation's output: its operand's, one that nobody needs any more, or a new one."""
        cdef ssize_t i, value = op.operands[0].value, below = self.places[value].y
        if traits.passes_through:
            return below
        is_last = left[value] == 0 and self.buffers[below].users == 1
        if traits.replaces and is_last and not any([op.operands[i].value == value for i in range(1, op.n_operands)]):
            return below
        return unused.pop() if unused else self.new_buffer(0)

    cdef int release(self, ssize_t buffer, list unused) except -1:
        """Note that one value fewer is needed of what lies in the buffer."""
        self.buffers[buffer].users -= 1
        if self.buffers[buffer].users == 0:
            unused.append(buffer)
        return 0

    # --------------------------------------------------------------- training

    cdef int plan_training(self, const Program* program) except -1:
        cdef Traits traits
        cdef ssize_t k, i, spare_units = 0
        cdef const Operation* op
        cdef const Operand* operand
        cdef Places* place
        self.places[0].y = self.new_buffer(0)
        for k in range(program.n_operations):
            op = &program.operations[k]
            place = &self.places[k + 1]
            traits_of(op, &traits)
            place.y = place.z = self.new_buffer(op.n_out)
            if traits.keeps_z:
                place.z = self.new_buffer(op.n_out)
            elif op.kind == ACTIVATION:
                place.z = self.places[op.operands[0].value].y
            if traits.keeps_mask:
                place.mask = self.new_buffer(op.n_out)
            if traits.keeps_statistics:
                place.statistics = self.new_buffer(0, True)
        self.places[program.output].delta = self.new_buffer(program.n_outputs)
        for k in range(program.n_operations - 1, -1, -1):
            op = &program.operations[k]
            for i in range(op.n_operands):
                operand = &op.operands[i]
                if operand.handing == WRITTEN:
                    self.places[operand.value].delta = self.new_buffer(op.n_in)
                elif operand.handing == IN_PLACE:
                    self.places[operand.value].delta = self.places[k + 1].delta
                elif operand.handing == ADDED:
                    spare_units = max(spare_units, op.n_in)
        if spare_units:
            self.spare = self.new_buffer(spare_units)
        return 0

    # ------------------------------------------------------------------ tapes

    cdef char* lay_out(self, const Program* program, Tape* tape, char* next, ssize_t rows, bint has_inputs) noexcept:
        """Cut a tape's buffers off from next on, and return where they end; with a tape of NULL only measure."""
        cdef ssize_t b, v, units, n_values = program.n_operations + 1
        cdef char** buffers = <char**> cut(&next, (self.n_buffers + 1) * sizeof(char*))
        cdef Slot* slots = <Slot*> cut(&next, n_values * sizeof(Slot))
        cdef char* memory
        for b in range(self.n_buffers):
            units = self.buffers[b].units
            if b == self.places[0].y and has_inputs:
                units = max(units, program.n_inputs)
            if self.buffers[b].is_statistics:
                memory = cut(&next, rows * 2 * sizeof(double))
            else:
                memory = cut(&next, panels_size(program, rows, units))
            if tape != NULL:
                buffers[b + 1] = memory
        if tape != NULL:
            buffers[0] = NULL                   # where there is no buffer, its number is -1
            for v in range(n_values):
                slots[v].y = buffers[self.places[v].y + 1]
                slots[v].z = buffers[self.places[v].z + 1]
                slots[v].mask = buffers[self.places[v].mask + 1]
                slots[v].statistics = <double*> buffers[self.places[v].statistics + 1]
                slots[v].delta = buffers[self.places[v].delta + 1]
            tape.mode, tape.rows, tape.slots, tape.spare = self.mode, rows, slots, buffers[self.spare + 1]
        return next


cdef Plan new_plan(const Program* program, int mode):
    """Make the plan of a program in a mode; for training, once its deltas are planned."""
    cdef Plan plan = Plan()
    plan.mode = mode
    plan.reserve(program)
    if mode == TRAINING:
        plan.plan_training(program)
    else:
        plan.plan_prediction(program)
    return plan
