"""A network compiled for prediction: its operations, its parameters in panels, and the pass over rows.

Callers are the Python layer, which has validated what it passes on.
"""

import numpy as np

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.pycapsule cimport PyCapsule_GetPointer

from fastnn._engine.forward cimport forward_rows, forward_sparse
from fastnn._engine.memory cimport Arena, take
from fastnn._engine.program cimport (
    ACTIVATION, DENSE, DROPOUT, LAYER_NORM, Operation, Program, Slot, Tape, panels_size
)
from fastnn._engine.registry cimport set_activation
from fastnn._engine.sparse cimport SparseMatrix
from fastnn._engine.threads cimport get_num_threads, run_team
from fastnn._kernels.table cimport (
    ActivationKernels, BatchKernels, DenseKernels, LossKernels, NormalizationKernels, OptimizerKernels, RandomKernels,
    SparseKernels, real
)

cdef extern from "Python.h":
    enum:
        PyBUF_WRITE

cdef int choose_threads(int threads, double multiply_adds, double worth) noexcept:
    """threads, or for 0 as many as the work is worth."""
    if threads == 0:
        threads = <int> min(multiply_adds / worth, <double> get_num_threads())
    return max(1, threads)


cdef class Model:
    """A network of ``operations`` with zeroed parameters, to be run by the kernels in ``tables``.

    Parameters
    ----------
    operations : sequence of tuple
        In order: ``("dense", n_in, n_out, activation, alpha)``, ``("activation", n, activation, alpha)``,
        ``("dropout", n, rate, stream)``, ``("layer_norm", n, epsilon)``.
    dtype : {"float32", "float64"}
    tables : dict of capsule
        The kernels' function tables for that dtype, by module.
    """

    def __cinit__(self, operations, dtype, tables):
        cdef ssize_t n = len(operations)
        self.operations = tuple(operations)
        self.dtype = dtype
        self.kernel_tables = tables
        self.spare = []
        self.program.item = np.dtype(dtype).itemsize
        self.program.dense = <DenseKernels*> PyCapsule_GetPointer(tables["dense"], "fastnn.dense")
        self.program.activations = <ActivationKernels*> PyCapsule_GetPointer(tables["activations"],
                                                                             "fastnn.activations")
        self.program.normalization = <NormalizationKernels*> PyCapsule_GetPointer(tables["normalization"],
                                                                                  "fastnn.normalization")
        self.program.losses = <LossKernels*> PyCapsule_GetPointer(tables["losses"], "fastnn.losses")
        self.program.optimizers = <OptimizerKernels*> PyCapsule_GetPointer(tables["optimizers"], "fastnn.optimizers")
        self.program.random = <RandomKernels*> PyCapsule_GetPointer(tables["random"], "fastnn.random")
        self.program.batch = <BatchKernels*> PyCapsule_GetPointer(tables["batch"], "fastnn.batch")
        self.program.sparse = <SparseKernels*> PyCapsule_GetPointer(tables["sparse"], "fastnn.sparse")
        self.program.panel = self.program.dense.panel
        self.operations_arena = Arena(n * sizeof(Operation) + 2 * n * sizeof(Tensor))
        self.program.operations = <Operation*> self.operations_arena.base
        self.layout = <Tensor*> (self.operations_arena.base + n * sizeof(Operation))
        for index, description in enumerate(operations):
            self.append(index, *description)
        self.n_inputs = operations[0][1]
        self.allocate_parameters()
        self.positions = {(operation, kind): t for t, (operation, kind, _) in enumerate(self.tensors)}

    cdef Operation* new_operation(self, int kind, int index, ssize_t n_in, ssize_t n_out) noexcept:
        cdef Operation* op = &self.program.operations[self.program.n_operations]
        self.program.n_operations += 1
        self.n_outputs = n_out
        op.kind, op.index, op.n_in, op.n_out = kind, index, n_in, n_out
        return op

    def append(self, int index, kind, *arguments):
        cdef Operation* op
        if kind == "dense":
            n_in, n_out, activation, alpha = arguments
            op = self.new_operation(DENSE, index, n_in, n_out)
            op.alpha = alpha
            set_activation(op, self.program.activations, activation)
            op.is_narrow = n_out <= self.program.dense.narrow
        elif kind == "activation":
            n, activation, alpha = arguments
            op = &self.program.operations[self.program.n_operations - 1]
            if self.program.n_operations == 0 or op.kind != DENSE or not op.is_identity:
                op = self.new_operation(ACTIVATION, index, n, n)      # else the dense layer before applies it
            op.alpha = alpha
            set_activation(op, self.program.activations, activation)
        elif kind == "dropout":
            n, rate, stream = arguments
            op = self.new_operation(DROPOUT, index, n, n)
            op.rate, op.stream = rate, stream
        elif kind == "layer_norm":
            n, epsilon = arguments
            op = self.new_operation(LAYER_NORM, index, n, n)
            op.epsilon = epsilon
        else:
            raise ValueError(f"unknown operation {kind!r}")

    cdef int allocate_parameters(self) except -1:
        cdef ssize_t k, t
        cdef Operation* op
        cdef char* end = NULL
        for k in range(self.program.n_operations):
            op = &self.program.operations[k]
            if op.kind == DENSE:
                self.add_tensor(k, False, False, op.n_in, op.n_out, &end)
                self.add_tensor(k, True, True, 1, op.n_out, &end)
            elif op.kind == LAYER_NORM:
                self.add_tensor(k, False, True, 1, op.n_out, &end)
                self.add_tensor(k, True, True, 1, op.n_out, &end)
        self.parameters = Arena(<size_t> end)
        for t in range(self.n_tensors):
            end = self.parameters.base + self.layout[t].offset
            take(&end, self.layout[t].size)
            op = &self.program.operations[self.layout[t].operation]
            if self.layout[t].is_bias:
                op.bias = self.parameters.base + self.layout[t].offset
            else:
                op.weight = self.parameters.base + self.layout[t].offset
        return 0

    cdef void add_tensor(self, ssize_t operation, bint is_bias, bint is_vector, ssize_t rows, ssize_t columns,
                         char** end) noexcept:
        cdef Tensor* tensor = &self.layout[self.n_tensors]
        self.n_tensors += 1
        tensor.operation, tensor.is_bias, tensor.is_vector = operation, is_bias, is_vector
        tensor.is_transposed = not is_vector and self.program.operations[operation].is_narrow
        tensor.rows, tensor.columns = (columns, rows) if tensor.is_transposed else (rows, columns)
        tensor.size = panels_size(&self.program, tensor.rows, tensor.columns)
        tensor.offset = <ssize_t> take(end, tensor.size)

    @property
    def tensors(self):
        """(operation, "weight" or "bias", shape) of every parameter tensor, in the order of the operations."""
        cdef ssize_t t
        cdef Tensor* tensor
        listed = []
        for t in range(self.n_tensors):
            tensor = &self.layout[t]
            shape = (tensor.rows, tensor.columns) if tensor.is_transposed else (tensor.columns, tensor.rows)
            if tensor.is_vector:
                shape = shape[:1]
            kind = "bias" if tensor.is_bias else "weight"
            listed.append((self.program.operations[tensor.operation].index, kind, shape))
        return listed

    cdef object panels(self, Arena arena, ssize_t t):
        """Tensor t of an arena laid out like the parameters, as a writable array [panels, rows, P] over its memory."""
        cdef Tensor* tensor = &self.layout[t]
        memory = PyMemoryView_FromMemory(arena.base + tensor.offset, tensor.size, PyBUF_WRITE)
        return np.frombuffer(memory, dtype=self.dtype).reshape(-1, tensor.rows, self.program.panel)

    def unpacked(self, panels, ssize_t t):
        """A copy of tensor t's panels in its public shape."""
        cdef Tensor* tensor = &self.layout[t]
        if tensor.is_vector:
            return panels.reshape(-1)[:tensor.columns].copy()
        width = self.program.panel
        shape = (tensor.rows, tensor.columns) if tensor.is_transposed else (tensor.columns, tensor.rows)
        array = np.empty(shape, self.dtype)
        matrix = array.T if tensor.is_transposed else array
        for p in range(len(panels)):
            part = matrix[p * width:(p + 1) * width]
            part[:] = panels[p, :, :len(part)].T
        return array

    def pack(self, panels, ssize_t t, array):
        """Writes an array of tensor t's public shape into its panels."""
        width = self.program.panel
        matrix = array.T if self.layout[t].is_transposed else array.reshape(-1, self.layout[t].rows)
        for p in range(len(panels)):
            part = matrix[p * width:(p + 1) * width]
            panels[p, :, :len(part)] = part.T

    def read(self, operation, kind):
        """A copy of a parameter tensor."""
        t = self.positions[operation, kind]
        return self.unpacked(self.panels(self.parameters, t), t)

    def write(self, operation, kind, array):
        """Sets a parameter tensor from an array of its shape and dtype."""
        t = self.positions[operation, kind]
        self.pack(self.panels(self.parameters, t), t, array)
        self.version += 1

    cdef double multiply_adds(self) noexcept:
        """Of the forward pass of one row."""
        cdef ssize_t k
        cdef double total = 0
        for k in range(self.program.n_operations):
            if self.program.operations[k].kind == DENSE:
                total += <double> self.program.operations[k].n_in * self.program.operations[k].n_out
        return total

    def forward(self, X, out, int threads=0):
        """Writes the network's outputs for the rows of X into out; both any-strided arrays of the model's dtype.

        ``threads`` 0 chooses by the amount of work.
        """
        cdef Prediction job
        cdef Py_buffer x_view
        job.sparse.is_given = job.sparse.is_direct = False
        PyObject_GetBuffer(X, &x_view, PyBUF_STRIDES)
        try:
            job.n = x_view.shape[0]
            job.x, job.x_row, job.x_column = <const char*> x_view.buf, x_view.strides[0], x_view.strides[1]
            self.predict(&job, self.multiply_adds() * job.n, out, threads)
        finally:
            PyBuffer_Release(&x_view)

    def forward_sparse(self, SparseMatrix X, out, int threads=0):
        """The same for sparse rows."""
        cdef Prediction job
        job.n = len(X)
        job.sparse = X.input(&self.program)
        self.predict(&job, self.sparse_multiply_adds(X), out, threads)

    cdef int predict(self, Prediction* job, double multiply_adds, out, int threads) except -1:
        """Runs a job whose rows are set."""
        cdef Py_buffer out_view
        cdef Buffers buffers
        PyObject_GetBuffer(out, &out_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        try:
            if job.n == 0:
                return 0
            job.out, job.out_row, job.out_column = <char*> out_view.buf, out_view.strides[0], out_view.strides[1]
            threads = choose_threads(threads, multiply_adds, WORTH_A_WAKE)
            buffers = self.buffers(min(job.n, <ssize_t> BLOCK_ROWS), threads, not job.sparse.is_direct)
            job.program = &self.program
            job.tapes = buffers.tapes
            run_team(predict_rows, job, threads)
            self.spare.append(buffers)
        finally:
            PyBuffer_Release(&out_view)
        return 0

    cdef double sparse_multiply_adds(self, SparseMatrix X) noexcept:
        """Of the forward pass of sparse rows."""
        cdef const Operation* first = &self.program.operations[0]
        cdef double saved = 0
        if X.input(&self.program).is_direct:
            saved = (<double> first.n_in * len(X) - X.count()) * first.n_out
        return self.multiply_adds() * len(X) - saved

    cdef object buffers(self, ssize_t rows, int threads, bint has_inputs):
        """Buffers for a prediction, those of an earlier one if they fit; safe from several Python threads at once."""
        cdef Buffers found
        try:
            found = self.spare.pop()
            if found.rows == rows and found.n_tapes >= threads and found.has_inputs == has_inputs:
                return found
        except IndexError:
            pass
        return Buffers(self, rows, threads, has_inputs)


cdef class Buffers:
    """The tapes of a prediction, one a thread: two buffers that the operations use in turn.

    Without ``has_inputs`` they have no room for the network's inputs, which sparse rows need not.
    """

    def __cinit__(self, Model model, ssize_t rows, int n_tapes, bint has_inputs):
        self.rows, self.n_tapes, self.has_inputs = rows, n_tapes, has_inputs
        self.arena = Arena(<size_t> self.layout(model, NULL))
        self.layout(model, self.arena.base)

    cdef char* layout(self, Model model, char* next):
        """Walks the buffers from next on; from NULL only measures."""
        cdef Program* program = &model.program
        cdef char* start = next
        cdef ssize_t k, t, widest = program.operations[0].n_in if self.has_inputs else 0
        cdef ssize_t rows = self.rows | 1           # odd: no stride between panels is a multiple of 4 KB
        cdef Tape* tape
        cdef Slot* slots
        cdef char* buffer[2]
        cdef char* statistics
        for k in range(program.n_operations):
            widest = max(widest, program.operations[k].n_out)
        self.tapes = <Tape*> take(&next, self.n_tapes * sizeof(Tape))
        for t in range(self.n_tapes):
            slots = <Slot*> take(&next, program.n_operations * sizeof(Slot))
            buffer[0] = take(&next, panels_size(program, rows, widest))
            buffer[1] = take(&next, panels_size(program, rows, widest))
            statistics = take(&next, rows * 2 * sizeof(double))
            if start != NULL:
                tape = &self.tapes[t]
                tape.rows, tape.x, tape.slots = rows, buffer[0], slots
                fill_slots(program, slots, buffer, statistics)
        return next


cdef void fill_slots(const Program* program, Slot* slots, char** buffer, char* statistics) noexcept:
    cdef ssize_t k
    cdef int used = 0
    for k in range(program.n_operations):
        if program.operations[k].kind in (DENSE, LAYER_NORM):      # the others work in place
            used = 1 - used
        slots[k].y = slots[k].z = buffer[used]
        slots[k].statistics = <double*> statistics


cdef void predict_rows(void* context, int thread, int n_threads) noexcept nogil:
    """One thread's share of the rows, block by block."""
    cdef Prediction* job = <Prediction*> context
    cdef Program* program = job.program
    cdef Tape* tape = &job.tapes[thread]
    cdef ssize_t r = job.n * thread // n_threads, end = job.n * (thread + 1) // n_threads
    cdef ssize_t n, k
    cdef const char* y = tape.slots[program.n_operations - 1].y
    cdef ssize_t n_in = program.operations[0].n_in, n_out = program.operations[program.n_operations - 1].n_out
    while r < end:
        n = min(end - r, <ssize_t> BLOCK_ROWS)
        k = 0
        if job.sparse.is_given:
            k = forward_sparse(program, tape, &job.sparse, NULL, r, 0, n)
        else:
            program.batch.gather(job.x, job.x_row, job.x_column, NULL, r, n_in, <real*> tape.x, tape.rows, 0, n)
        forward_rows(program, tape, k, 0, n)
        program.batch.scatter(<const real*> y, tape.rows, n_out, 0, n, job.out + r * job.out_row, job.out_row,
                              job.out_column)
        r += n
