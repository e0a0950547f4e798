"""What the kernels should compute, in float64 NumPy, as the textbooks write it and independent of the kernels."""

import numpy as np

# ---------------------------------------------------------------------- losses


def expand(o, kind, labels, targets, parameter, quantiles):
    """Targets of the shape of the outputs o, and pinball's quantile of each column."""
    n, q = o.shape[1], None
    if kind == "pinball":
        q = np.tile(quantiles, targets.shape[1])
        return np.repeat(np.asarray(targets, dtype=np.float64), len(quantiles), axis=1), q
    if labels is not None:
        t = np.eye(n)[labels] if kind == "cross_entropy" else np.asarray(labels, dtype=np.float64)[:, None]
    else:
        t = np.asarray(targets, dtype=np.float64)
    if kind == "cross_entropy":
        t = (1 - parameter) * t + parameter / n
    return t, q


def binary_cross_entropy(o, t, q, p):
    e = np.exp(-abs(o))
    up, down = np.where(o > 0, 1, e) / (1 + e), np.where(o > 0, e, 1) / (1 + e)
    return np.maximum(o, 0) - o * t + np.log1p(e), (1 - t) * up - t * down


def huber(o, t, q, p):
    d = o - t
    return np.where(abs(d) < p, d**2 / 2, p * (abs(d) - p / 2)), np.clip(d, -p, p)


# Loss and derivative of each output, for the losses that treat outputs apart: of output, target, quantile, parameter.
TERMS = {
    "mean_squared": lambda o, t, q, p: ((o - t) ** 2, 2 * (o - t)),
    "mean_absolute": lambda o, t, q, p: (abs(o - t), np.sign(o - t)),
    "huber": huber,
    "log_cosh": lambda o, t, q, p: (np.logaddexp(o - t, t - o) - np.log(2), np.tanh(o - t)),
    "pinball": lambda o, t, q, p: (
        np.maximum(q * (t - o), (q - 1) * (t - o)),
        np.where(o < t, -q, np.where(o > t, 1 - q, 0)),
    ),
    "poisson": lambda o, t, q, p: (np.exp(o) - t * o, np.exp(o) - t),
    "binary_cross_entropy": binary_cross_entropy,
}


def loss(kind, o, labels=None, targets=None, weights=None, scale=1.0, parameter=0.0, quantiles=None):
    """Losses, gradients and hits of rows of outputs: shapes (rows,), (rows, n), (rows,)."""
    o = np.asarray(o, dtype=np.float64)
    rows, n = o.shape
    t, q = expand(o, kind, labels, targets, parameter, quantiles)
    w = np.ones(rows) if weights is None else weights
    hits = np.zeros(rows)
    if kind == "cross_entropy":
        top = o.max(axis=1, keepdims=True)
        e = np.exp(o - top)
        gaps = top - o + np.log(e.sum(axis=1, keepdims=True))
        losses = np.where(t == 0, 0, t * gaps).sum(axis=1)
        gradients = e / e.sum(axis=1, keepdims=True) * t.sum(axis=1, keepdims=True) - t
        hits = np.argmax(o, axis=1) == (np.argmax(targets, axis=1) if labels is None else labels)
    else:
        losses, gradients = TERMS[kind](o, t, q, parameter)
        losses, gradients = losses.mean(axis=1), gradients / n
        if kind == "binary_cross_entropy":
            hits = ((o > 0) == (t > 0.5)).mean(axis=1)
    return w * losses, (w * scale)[:, None] * gradients, w * hits


# ------------------------------------------------------------------ optimizers


NAMES = {"epsilon": "eps", "learning_rate_decay": "lr_decay", "initial_accumulator": "initial"}


def defaults(optimizer):
    """The oracle's arguments for an optimizer, its learning rate apart."""
    others = ("kind", "states", "numbers", "keeps_without_gradient", "decay_all")
    given = optimizer.specification()
    return {NAMES.get(key, key): value for key, value in given.items() if value and key not in others}


class Optimizer:
    """One parameter array's optimizer, a step at a time; the names of PyTorch's arguments."""

    def __init__(self, kind, lr, l1=0.0, l2=0.0, decoupled=0.0, clip_value=np.inf, gradient_scale=1.0, **options):
        defaults = {"momentum": 0.0, "nesterov": False, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": False}
        defaults |= {"centered": False, "momentum_decay": 4e-3, "lr_decay": 0.0, "initial": 0.0}
        assert options.keys() <= defaults.keys()
        self.__dict__.update(defaults | options)
        self.kind, self.lr, self.l1, self.l2, self.decoupled = kind, lr, l1, l2, decoupled
        self.clip_value, self.gradient_scale = clip_value, gradient_scale
        self.t, self.m, self.v, self.u, self.b, self.a = 0, 0.0, self.initial, 0.0, 0.0, 0.0
        self.mu_product = 1.0

    def rates(self):
        """NAdam's mu_t and mu_t+1."""
        return [self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)) for t in (self.t, self.t + 1)]

    def rule(self):
        """The numbers the coming step's UpdateRule holds."""
        t = self.t + 1
        rule = {name: getattr(self, name) for name in ("gradient_scale", "clip_value", "l1", "l2", "momentum", "beta1")}
        rule |= {name: getattr(self, name) for name in ("beta2", "nesterov", "centered", "amsgrad")}
        rule |= {"decay": 1 - self.lr * self.decoupled, "epsilon": self.eps, "step_size": self.lr, "root_scale": 1.0}
        if self.kind in ("adam", "adamw", "nadam"):
            rule["root_scale"] = 1 / np.sqrt(1 - self.beta2**t)
        if self.kind in ("adam", "adamw"):
            rule["step_size"] = self.lr / (1 - self.beta1**t)
        if self.kind == "nadam":
            mu, following = [self.beta1 * (1 - 0.5 * 0.96 ** (s * self.momentum_decay)) for s in (t, t + 1)]
            rule["gradient_step"] = self.lr * (1 - mu) / (1 - self.mu_product * mu)
            rule["step_size"] = self.lr * following / (1 - self.mu_product * mu * following)
        if self.kind == "radam":
            factor = self.rectification(t)
            rule["step_size"] = self.lr / (1 - self.beta1**t) * (factor or 1)
            rule |= {} if factor else {"root_scale": 0.0, "epsilon": 1.0}
        if self.kind == "adagrad":
            rule["step_size"] = self.lr / (1 + (t - 1) * self.lr_decay)
        return rule

    def step(self, w, g):
        """The parameters after one more step."""
        self.t += 1
        g = np.clip(self.gradient_scale * g, -self.clip_value, self.clip_value)
        g = g + self.l2 * w + self.l1 * np.sign(w)
        w = w * (1 - self.lr * self.decoupled)
        return w - getattr(self, self.kind)(g)

    def sgd(self, g):
        self.b = self.momentum * self.b + g
        return self.lr * (g + self.momentum * self.b if self.nesterov else self.b)

    def moments(self, g):
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        return 1 - self.beta1**self.t, 1 - self.beta2**self.t

    def adam(self, g):
        correction1, correction2 = self.moments(g)
        self.u = np.maximum(self.u, self.v) if self.amsgrad else self.v
        return self.lr * (self.m / correction1) / (np.sqrt(self.u / correction2) + self.eps)

    adamw = adam

    def rectification(self, t):
        """RAdam's, with the second moment's correction; None while there is no variance to rectify."""
        limit, correction2 = 2 / (1 - self.beta2) - 1, 1 - self.beta2**t
        rho = limit - 2 * t * self.beta2**t / correction2
        share = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
        return np.sqrt(correction2 * share) if rho > 5 else None

    def radam(self, g):
        correction1, _ = self.moments(g)
        factor = self.rectification(self.t)
        step = self.lr * self.m / correction1
        return step * factor / (np.sqrt(self.v) + self.eps) if factor else step

    def nadam(self, g):
        _, correction2 = self.moments(g)
        mu, following = self.rates()
        self.mu_product *= mu
        step = (1 - mu) * g / (1 - self.mu_product) + following * self.m / (1 - self.mu_product * following)
        return self.lr * step / (np.sqrt(self.v / correction2) + self.eps)

    def rmsprop(self, g):
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        self.a = self.beta2 * self.a + (1 - self.beta2) * g
        d = g / (np.sqrt(self.v - self.a**2 if self.centered else self.v) + self.eps)
        self.b = self.momentum * self.b + d
        return self.lr * self.b

    def adagrad(self, g):
        self.v = self.v + g**2
        return self.lr / (1 + (self.t - 1) * self.lr_decay) * g / (np.sqrt(self.v) + self.eps)

    def lion(self, g):
        step = self.lr * np.sign(self.beta1 * self.m + (1 - self.beta1) * g)
        self.m = self.beta2 * self.m + (1 - self.beta2) * g
        return step


# -------------------------------------------------------------- random numbers


def philox(counter, key):
    """Philox4x32-10: uint32 words (..., 4) of counters (..., 4) under a key of two words."""
    c = [np.asarray(counter, dtype=np.uint64)[..., i] for i in range(4)]
    k = [int(word) for word in key]
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(q >> shift) ^ c[1] ^ np.uint64(k[0]), q & low, (p >> shift) ^ c[3] ^ np.uint64(k[1]), p & low]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=-1).astype(np.uint32)


def words(seed, index, step=0, stream=0, high=None):
    """The words of blocks ``index`` (an integer array), or of counters whose second word is ``high``."""
    index = np.asarray(index, dtype=object)
    c0 = [int(i) % 2**32 for i in index.ravel()]
    c1 = [int(i) >> 32 for i in index.ravel()] if high is None else [high] * index.size
    c3 = stream ^ (step >> 32 << 16) % 2**32
    counters = [[a, b, step % 2**32, c3] for a, b in zip(c0, c1, strict=True)]
    return philox(np.array(counters, dtype=np.uint64).reshape(-1, 4), (seed % 2**32, seed >> 32))


def uniform(seed, stream, count):
    """`count` uniform numbers in [0, 1), multiples of 2^-24."""
    return (words(seed, np.arange(-(-count // 4)), stream=stream).ravel()[:count] >> 8) * 2.0**-24


def normal(seed, stream, count):
    """`count` standard normal numbers by Box & Muller."""
    w = words(seed, np.arange(-(-count // 4)), stream=stream).reshape(-1, 2) >> 8
    radius, angle = np.sqrt(-2 * np.log((w[:, 0] + 1) * 2.0**-24)), 2 * np.pi * w[:, 1] * 2.0**-24
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:count]


def dropout_mask(seed, step, stream, rate, rows, n):
    """The mask of the rows numbered `rows`: float64 (len(rows), n)."""
    w = [words(seed, np.arange(-(-n // 4)), step, stream, high=row).ravel()[:n] for row in rows]
    return np.where((np.array(w) >> 8) >= np.ceil(rate * 2**24), 1 / (1 - rate), 0)
