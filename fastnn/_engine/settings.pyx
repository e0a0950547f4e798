"""What a run is told of its loss and its optimizer, by name: a name that is not known is an error."""

import numpy as np

from libc.math cimport INFINITY

from fastnn._engine.program cimport Operation
from fastnn._engine.registry cimport find_loss, find_optimizer, is_undone, set_activation
from fastnn._engine.run cimport MAX_GROUPS, Run
from fastnn._engine.update_rules cimport ADAGRAD_NUMBERS, ADAM_NUMBERS, NADAM_NUMBERS, PLAIN_NUMBERS, RADAM_NUMBERS

from fastnn._engine import elementary
from fastnn._engine.environment import standard_environment

NUMBERS = {"plain": PLAIN_NUMBERS, "adam": ADAM_NUMBERS, "nadam": NADAM_NUMBERS, "adagrad": ADAGRAD_NUMBERS}
NUMBERS["radam"] = RADAM_NUMBERS


cdef object set_loss(Run* run, dict given):
    """Set the loss; return what keeps alive what the run points to.

    If the network ends in what the loss undoes, the loss is computed from the values before.
    """
    cdef Operation* top = &run.network.program.operations[run.network.program.output - 1]
    cdef const double[::1] quantiles
    if unknown := given.keys() - {"kind", "parameter", "quantiles"}:
        raise ValueError(f"a loss has no {', '.join(map(repr, sorted(unknown)))}")
    run.data.loss_kernel = find_loss(run.network.program.losses, given["kind"])
    run.data.loss.n_outputs = run.network.program.n_outputs
    run.data.loss.parameter = given.get("parameter", 0.0)
    if is_undone(run.data.loss_kernel, top):
        set_activation(top, run.network.program.activations, "identity")
    if given.get("quantiles") is None:
        return None
    quantiles = np.array(given["quantiles"], dtype=np.float64)
    run.data.loss.quantiles, run.data.loss.n_quantiles = &quantiles[0], len(quantiles)
    return quantiles


cdef int set_optimizer(Run* run, dict given) except -1:
    """Set the hyperparameters, and the powers of them before the first step."""
    h = &run.optimizer.hyperparameters
    given = dict(given)
    run.optimizer.kernel = find_optimizer(run.network.program.optimizers, given.pop("kind"))
    numbers = given.pop("numbers")
    if numbers not in NUMBERS:
        raise ValueError(f"unknown numbers {numbers!r} of an optimizer; the engine has {', '.join(NUMBERS)}")
    h.numbers, h.keeps_without_gradient = NUMBERS[numbers], given.pop("keeps_without_gradient")
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


cdef list set_groups(Run* run, list tensors, groups, bint decay_all):
    """Set the groups of parameters that the optimizer treats alike; return the number of each tensor's.

    ``groups`` maps (operation, kind) to a dict of ``learning_rate``, a factor, and ``decays``. Tensors that it leaves
    out have the step's learning rate, and matrices the penalties, as all have with ``decay_all``.
    """
    numbers, found, groups = {}, [], groups or {}
    if unknown := groups.keys() - {(operation, kind) for operation, kind, _ in tensors}:
        raise ValueError(f"groups name tensors that there are not: {', '.join(map(repr, sorted(unknown)))}")
    if unknown := {name for given in groups.values() for name in given} - {"learning_rate", "decays"}:
        raise ValueError(f"a group has no {', '.join(map(repr, sorted(unknown)))}")
    for operation, kind, shape in tensors:
        given = groups.get((operation, kind), {})
        group = given.get("learning_rate", 1.0), given.get("decays", decay_all or len(shape) > 1)
        if len(numbers) == MAX_GROUPS and group not in numbers:
            raise ValueError(f"there may be at most {MAX_GROUPS} groups of parameters")
        found.append(numbers.setdefault(group, len(numbers)))
    run.optimizer.n_groups = len(numbers)
    for (learning_rate, decays), number in numbers.items():
        run.optimizer.groups[<int> number].learning_rate = learning_rate
        run.optimizer.groups[<int> number].decays = decays
    return found
