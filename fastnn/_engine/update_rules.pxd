# The optimizers' numbers, step by step, in float64.
#
# Powers of beta are products stored between steps, never pow(): the same bits from every C library, and after a resume.

from libc.math cimport sqrt

from fastnn._kernels.table cimport UpdateRule

cdef enum Numbers:                   # how a step's numbers follow from the learning rate and the steps before
    PLAIN_NUMBERS, ADAM_NUMBERS, NADAM_NUMBERS, ADAGRAD_NUMBERS, RADAM_NUMBERS

cdef struct Hyperparameters:
    int numbers
    bint keeps_without_gradient      # where the gradient is zero, parameter and state keep their bits
    double momentum, beta1, beta2, epsilon
    double momentum_decay_base       # NAdam: 0.96^psi
    double learning_rate_decay       # Adagrad
    double l1, l2, weight_decay
    double l2_total                  # of the batch's total loss: divided by the weight of its rows
    double clip_value, clip_norm     # infinity: none
    bint nesterov, centered, amsgrad

cdef struct Group:                   # parameters that the optimizer treats alike
    double learning_rate             # a factor of the step's learning rate
    bint decays                      # whether penalties and weight decay apply

cdef struct Powers:                  # products over the steps done
    double beta1, beta2
    double momentum_decay            # NAdam: base^t
    double momentum                  # NAdam: mu_1 ... mu_t


cdef inline Powers next_powers(const Hyperparameters* h, const Powers* old) noexcept nogil:
    cdef Powers powers
    powers.beta1 = old.beta1 * h.beta1
    powers.beta2 = old.beta2 * h.beta2
    powers.momentum_decay = old.momentum_decay * h.momentum_decay_base
    powers.momentum = old.momentum * (h.beta1 * (1 - 0.5 * powers.momentum_decay))
    return powers


cdef inline UpdateRule update_rule(const Hyperparameters* h, const Group* group, const Powers* powers,
                                   double step_learning_rate, double batch_scale, long long t) noexcept nogil:
    """Return the rule of step t (from 1) for a group of parameters.

    powers are those of step t, batch_scale is one over the sum of the batch's sample weights.
    """
    cdef double learning_rate = step_learning_rate * group.learning_rate
    cdef bint decays = group.decays
    cdef UpdateRule rule
    cdef double mu_next, mu, rho, rho_limit
    rule.gradient_scale = 1
    rule.clip_value = h.clip_value
    rule.l1 = h.l1 if decays else 0
    rule.l2 = h.l2 + h.l2_total * batch_scale if decays else 0
    rule.decay = 1 - learning_rate * h.weight_decay if decays else 1
    rule.step_size = learning_rate
    rule.momentum = h.momentum
    rule.beta1, rule.beta2, rule.epsilon = h.beta1, h.beta2, h.epsilon
    rule.root_scale = 1
    rule.gradient_step = 0
    rule.nesterov, rule.centered, rule.amsgrad = h.nesterov, h.centered, h.amsgrad
    if h.numbers == ADAM_NUMBERS:
        rule.step_size = learning_rate / (1 - powers.beta1)
        rule.root_scale = 1 / sqrt(1 - powers.beta2)
    elif h.numbers == NADAM_NUMBERS:
        mu = h.beta1 * (1 - 0.5 * powers.momentum_decay)
        mu_next = h.beta1 * (1 - 0.5 * (powers.momentum_decay * h.momentum_decay_base))
        rule.gradient_step = learning_rate * (1 - mu) / (1 - powers.momentum)
        rule.step_size = learning_rate * mu_next / (1 - powers.momentum * mu_next)
        rule.root_scale = 1 / sqrt(1 - powers.beta2)
    elif h.numbers == ADAGRAD_NUMBERS:
        rule.step_size = learning_rate / (1 + (t - 1) * h.learning_rate_decay)
    elif h.numbers == RADAM_NUMBERS:
        rho_limit = 2 / (1 - h.beta2) - 1
        rho = rho_limit - 2 * t * powers.beta2 / (1 - powers.beta2)
        rule.step_size /= 1 - powers.beta1
        if rho > 5:
            rule.step_size *= sqrt((1 - powers.beta2) * (rho - 4) * (rho - 2) * rho_limit
                                   / ((rho_limit - 4) * (rho_limit - 2) * rho))
        else:
            rule.root_scale, rule.epsilon = 0, 1             # a step by the first moment alone
    return rule
