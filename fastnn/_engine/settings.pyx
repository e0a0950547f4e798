"""What a run is told of its loss and its optimizer, by name: a name that is not known is an error."""

import numpy as np

from libc.math cimport INFINITY

from fastnn._engine.program cimport ACTIVATION, DENSE, Operation
from fastnn._engine.run cimport MAX_GROUPS, Run
from fastnn._kernels.table cimport (
    ADAGRAD, ADAM, BINARY_CROSS_ENTROPY, CROSS_ENTROPY, HUBER, IDENTITY, MEAN_ABSOLUTE, MEAN_SQUARED, NADAM, PINBALL,
    POISSON, RMSPROP, SGD, SIGMOID, SOFTMAX
)

from fastnn._engine import elementary
from fastnn._engine.environment import standard_environment

LOSSES = {
    "mean_squared": MEAN_SQUARED, "mean_absolute": MEAN_ABSOLUTE, "huber": HUBER, "pinball": PINBALL,
    "poisson": POISSON, "cross_entropy": CROSS_ENTROPY, "binary_cross_entropy": BINARY_CROSS_ENTROPY,
}
OPTIMIZERS = {"sgd": SGD, "adam": ADAM, "nadam": NADAM, "rmsprop": RMSPROP, "adagrad": ADAGRAD}


cdef object set_loss(Run* run, dict given):
    """Sets the loss; the result keeps alive what the run points to.

    If the network ends in what the loss undoes, the loss is computed from the values before.
    """
    cdef Operation* top = &run.network.program.operations[run.network.program.output - 1]
    cdef const double[::1] quantiles
    if given["kind"] not in LOSSES:
        raise ValueError(f"unknown loss {given['kind']!r}; there are {', '.join(LOSSES)}")
    run.data.loss_kind = LOSSES[given["kind"]]
    run.data.loss.n_outputs = run.network.program.n_outputs
    run.data.loss.parameter = given.get("parameter", 0.0)
    if top.kind in (DENSE, ACTIVATION):
        if (top.activation, run.data.loss_kind) in ((SOFTMAX, CROSS_ENTROPY), (SIGMOID, BINARY_CROSS_ENTROPY)):
            top.activation = IDENTITY
    if given.get("quantiles") is None:
        return None
    quantiles = np.array(given["quantiles"], dtype=np.float64)
    run.data.loss.quantiles, run.data.loss.n_quantiles = &quantiles[0], len(quantiles)
    return quantiles


cdef int set_optimizer(Run* run, dict given) except -1:
    """Sets the hyperparameters, and the powers of them before the first step."""
    h = &run.optimizer.hyperparameters
    given = dict(given)
    kind = given.pop("kind")
    if kind not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {kind!r}; there are {', '.join(OPTIMIZERS)}")
    h.kind = OPTIMIZERS[kind]
    h.momentum, h.nesterov = given.pop("momentum", 0), given.pop("nesterov", False)
    h.beta1, h.beta2, h.epsilon = given.pop("beta1", 0), given.pop("beta2", 0), given.pop("epsilon", 0)
    h.amsgrad, h.centered = given.pop("amsgrad", False), given.pop("centered", False)
    h.learning_rate_decay, h.weight_decay = given.pop("learning_rate_decay", 0), given.pop("decoupled", 0)
    h.l1, h.l2, h.l2_total = given.pop("l1", 0), given.pop("l2", 0), given.pop("l2_total", 0)
    h.clip_value, h.clip_norm = limit(given, "clip_value"), limit(given, "clip_norm")
    with standard_environment():
        h.momentum_decay_base = elementary.exp(given.pop("momentum_decay", 0) * elementary.log(0.96))
    if given:
        raise ValueError(f"an optimizer has no {', '.join(map(repr, given))}")
    powers = &run.optimizer.powers
    powers.beta1 = powers.beta2 = powers.momentum_decay = powers.momentum = 1
    return 0


cdef double limit(dict given, name) except? -1:
    value = given.pop(name, None)
    return INFINITY if value is None else value


cdef bint uses_state(const Run* run, int j) noexcept:
    """Whether the optimizer keeps state<j>, an array of the parameters' size."""
    h = &run.optimizer.hyperparameters
    if h.kind == SGD:
        return j == 0 and h.momentum != 0
    if h.kind == ADAM:
        return j < 2 or h.amsgrad
    if h.kind == NADAM:
        return j < 2
    if h.kind == RMSPROP:
        return j == 0 or (j == 1 and h.momentum != 0) or (j == 2 and h.centered)
    return j == 0                                                    # ADAGRAD


cdef list set_groups(Run* run, list tensors, groups, bint decay_all):
    """Sets the groups of parameters that the optimizer treats alike; the number of each tensor's.

    ``groups`` maps (operation, kind) to a dict of ``learning_rate``, a factor, and ``decays``. Tensors that it leaves
    out have the step's learning rate, and matrices the penalties, as all have with ``decay_all``.
    """
    numbers, found = {}, []
    for operation, kind, shape in tensors:
        given = (groups or {}).get((operation, kind), {})
        group = given.get("learning_rate", 1.0), given.get("decays", decay_all or len(shape) > 1)
        if len(numbers) == MAX_GROUPS and group not in numbers:
            raise ValueError(f"there may be at most {MAX_GROUPS} groups of parameters")
        found.append(numbers.setdefault(group, len(numbers)))
    run.optimizer.n_groups = len(numbers)
    for (learning_rate, decays), number in numbers.items():
        run.optimizer.groups[<int> number].learning_rate = learning_rate
        run.optimizer.groups[<int> number].decays = decays
    return found
