"""A network that learns to steer a pole: reinforcement learning in plain Python.

A cart on a track carries a pole that falls over unless the cart is pushed left or right in time. Nobody shows the
network how: it plays, and what turned out better than expected becomes more likely. Two networks learn together. The
*actor* says how likely a push to the right is; the *critic* says how long the pole will still stand. After each round
of games both get one `Trainer.step` for each mini-batch, the actor with sample weights that say how much better than
the critic expected each push turned out (advantage-weighted regression; Peng et al., arXiv:1910.00177).

Run it with ``python examples/pole.py``; the extra ``plot`` is needed for the picture. After some hundred games, which
take seconds, the pole stands for nearly all of 500 steps. Sines and exponentials come from `fastnn.elementary`, so the
run, games and all, ends with the same digest on every machine that has the same version of NumPy to draw the pushes.
"""

import argparse

import numpy as np

import fastnn as fn

CAP = 500  # steps after which a game counts as won
GAMES = 16  # played side by side
DISCOUNT = 0.99
LARGEST_WEIGHT = 20.0
BATCH = 64


class Poles:
    """Many games at once: Barto, Sutton and Anderson's cart and pole (1983), in steps of 0.02 s of Euler's method."""

    GRAVITY, CART, POLE, HALF_LENGTH, FORCE, STEP = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
    TRACK, TILT = 2.4, 0.2094  # a game ends beyond these: metres from the middle, radians from upright

    def __init__(self, games: int, random: np.random.Generator) -> None:
        # Position and speed of the cart, angle and angular speed of the pole.
        self.state = random.uniform(-0.05, 0.05, (games, 4))

    def push(self, right: np.ndarray) -> np.ndarray:
        """Push each cart right or left; return whose pole has fallen."""
        _, v, angle, spin = self.state.T
        sin, cos = fn.elementary.sin(angle), fn.elementary.cos(angle)
        total, moment = self.CART + self.POLE, self.POLE * self.HALF_LENGTH
        push = (np.where(right, self.FORCE, -self.FORCE) + moment * spin * spin * sin) / total
        turning = (self.GRAVITY * sin - cos * push) / (self.HALF_LENGTH * (4 / 3 - self.POLE * cos * cos / total))
        speeding = push - moment * turning * cos / total
        change = np.stack([v, speeding, spin, turning], axis=1)
        self.state = self.state + self.STEP * change
        return (np.abs(self.state[:, 0]) > self.TRACK) | (np.abs(self.state[:, 2]) > self.TILT)


def play(actor: fn.Network, games: int, random: np.random.Generator, explore: bool = True):
    """Play games to their end.

    Returns
    -------
    states : float32 ndarray, shape (CAP, games, 4)
    pushes : int64 ndarray, shape (CAP, games)
        1 for a push to the right, 0 for one to the left.
    lengths : int ndarray, shape (games,)
        Steps of each game; what stands in the other arrays beyond them was not part of it.
    """
    poles = Poles(games, random)
    states, pushes = np.zeros((CAP, games, 4), np.float32), np.zeros((CAP, games), np.int64)
    lengths, standing = np.zeros(games, int), np.ones(games, bool)
    for t in range(CAP):
        states[t] = poles.state
        logits = actor.predict(states[t])
        chance = fn.elementary.sigmoid(logits[:, 1] - logits[:, 0])
        pushes[t] = random.random(games) < chance if explore else chance > 0.5
        lengths += standing
        standing &= ~poles.push(pushes[t] == 1)
        poles.state[~standing] = 0.0  # a game that has ended stands still
        if not standing.any():
            break
    return states, pushes, lengths


def returns(lengths: np.ndarray) -> np.ndarray:
    """Return how much of the game is still to come at each step: the discounted reward of 1 a step, scaled to 1."""
    left = np.maximum(lengths - np.arange(CAP)[:, None], 0)
    powers = np.cumprod(np.full(CAP + 1, DISCOUNT)) / DISCOUNT
    return np.where(lengths == CAP, 1.0, 1.0 - powers[left])  # a game that was won would have gone on


def learn(actor: fn.Trainer, critic: fn.Trainer, played: tuple[np.ndarray, ...], random: np.random.Generator) -> None:
    """Make one pass, in shuffled mini-batches, over the steps of a round of games, as `play` gives them."""
    states, pushes, lengths = played
    was_played = np.arange(CAP)[:, None] < lengths
    X, y = states[was_played], pushes[was_played]
    gains = returns(lengths)[was_played].astype(np.float32)
    advantages = gains.astype(np.float64) - critic.network.predict(X)[:, 0]
    # In units of their median size. A median, unlike a mean, is not a sum, and the same on every machine.
    advantages /= np.median(np.abs(advantages)) + 1e-6
    weights = np.minimum(fn.elementary.exp(advantages), LARGEST_WEIGHT)
    order = random.permutation(len(X))
    for start in range(0, len(X), BATCH):
        rows = order[start : start + BATCH]
        critic.step(X[rows], gains[rows, None])
        actor.step(X[rows], y[rows], weights[rows])


def train(episodes: int, seed: int) -> tuple[fn.Trainer, np.ndarray]:
    """Return the trainer of the actor, and how long each game lasted."""
    random = np.random.default_rng(seed)
    hidden = [fn.Input(4), fn.Dense(64, "tanh"), fn.Dense(64, "tanh")]
    actor = fn.Trainer(fn.Network([*hidden, fn.Dense(2)], seed=seed), "cross_entropy", fn.Adam(1e-3))
    critic = fn.Trainer(fn.Network([*hidden, fn.Dense(1)], seed=seed + 1), "mean_squared", fn.Adam(1e-3))
    history: list[int] = []
    while len(history) < episodes:
        played = play(actor.network, GAMES, random)
        learn(actor, critic, played, random)
        lengths = played[2]
        history += lengths.tolist()
        if len(history) % (8 * GAMES) == 0:
            print(f"{len(history):5} games: the latest {GAMES} lasted {lengths.mean():5.1f} steps on average")
    return actor, np.array(history)


def draw(path: str, lengths: np.ndarray) -> None:
    """Write a picture of how long each game lasted, and of the mean of each round."""
    from matplotlib.figure import Figure

    axes = Figure(figsize=(7.0, 4.2), layout="constrained").add_subplot()
    rounds = lengths.reshape(-1, GAMES).mean(axis=1)
    axes.plot(np.arange(1, len(lengths) + 1), lengths, ".", color="#9ca3af", markersize=4, label="a game")
    axes.plot(GAMES * np.arange(1, len(rounds) + 1), rounds, color="#1f5fa8", label=f"mean of {GAMES} games")
    axes.set(xlabel="games played", ylabel="steps until the pole falls", ylim=(0, CAP * 1.03))
    axes.legend(loc="lower right")
    axes.figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=1024, help="games to learn from (rounded up to rounds of 16)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", default="pole.png", help="where the picture goes; '' for none")
    chosen = parser.parse_args()

    actor, lengths = train(chosen.episodes, chosen.seed)
    tested = play(actor.network, 100, np.random.default_rng(chosen.seed + 1), explore=False)[2]
    print(f"\n{actor.steps:,} updates. 100 new games, always the likelier push: {tested.mean():.1f} steps on average")
    print(f"digest {actor.network.digest()}")
    if chosen.picture:
        draw(chosen.picture, lengths)
        print(f"written to {chosen.picture}")


if __name__ == "__main__":
    main()
