"""Writes an animation of the three kinds of gradient descent on one loss, each with the same rows to look at.

The clock is the number of rows: while the batch looks at all 200 for a step, single rows make 200. It is an SVG that
moves by CSS, three times and no more. Who has asked for less motion, and whatever cannot show it, sees the whole paths.
"""

import numpy as np
import style
from descent import make_data, make_net

import fastnn as fn

EPOCHS, SECONDS, FRAMES_AN_EPOCH = 6, 9, 10
KINDS = (
    ("stochastic", 1, 0.02, style.ORANGE),
    ("mini-batch of 20", 20, 0.1, style.GREEN),
    ("batch", "full", 0.3, style.BLUE),
)
WIDTH, HEIGHT, WEIGHTS, BIASES = 640, 480, (-1.5, 2.5), (-1.6, 2.1)
PLOT = 56, 14, 570, 360  # left, top, width, height
LEVELS = (0.4, 0.6, 1.0, 1.6, 2.5, 4.0, 6.0, 9.0, 13.0)


def path_of(batch_size, rate):
    """Return weight and bias after each update, shape (updates + 1, 2)."""
    X, y = make_data()
    trainer = fn.Trainer(make_net(), loss="mean_squared", optimizer=fn.SGD(rate), batch_size=batch_size, seed=0)
    path = [(-1.0, 1.5)]

    def note(trainer, step):
        parameters = trainer.network.parameters
        path.append((float(parameters["0.weight"][0, 0]), float(parameters["0.bias"][0])))

    trainer.fit(X, y, epochs=EPOCHS, callbacks=[fn.LambdaCallback(on_step_end=note)])
    return np.array(path)


def placed(points):
    """Return where points of weight and bias are in the picture."""
    left, top, width, height = PLOT
    x = left + width * (points[:, 0] - WEIGHTS[0]) / (WEIGHTS[1] - WEIGHTS[0])
    y = top + height * (BIASES[1] - points[:, 1]) / (BIASES[1] - BIASES[0])
    return np.column_stack([x, y])


def contours():
    """Yield the lines of equal loss: of a line fitted by least squares they are ellipses."""
    X, y = make_data()
    design = np.column_stack([X[:, 0], np.ones(len(X))])
    middle = np.linalg.solve(design.T @ design, design.T @ y)
    least = ((y - design @ middle) ** 2).mean()
    to_circle = np.linalg.cholesky(design.T @ design / len(X))
    angles = np.linspace(0.0, 2 * np.pi, 73)
    for level in LEVELS:
        if level > least:
            circle = np.sqrt(level - least) * np.column_stack([np.cos(angles), np.sin(angles)])
            yield middle + np.linalg.solve(to_circle.T, circle.T).T


def points_of(points):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in placed(points))


def frames(path):
    """Return CSS keyframes: how much of a path is drawn after so many rows. A step is taken when its rows are read."""
    lengths = np.hypot(*np.diff(placed(path), axis=0).T).cumsum()
    lengths = np.concatenate([[0.0], lengths / lengths[-1]])
    count = EPOCHS * FRAMES_AN_EPOCH
    steps = (np.arange(count + 1) * (len(path) - 1)) // count
    kept = [n for n in range(count + 1) if n in (0, count) or steps[n] != steps[n - 1] or steps[n] != steps[n + 1]]
    return [(80 * n / count, float(lengths[steps[n]])) for n in kept]  # then the whole is shown for a while


def drawing():
    """Return the SVG."""
    left, top, width, height = PLOT
    rules, lines, names = [], [], []
    for number, (name, batch_size, rate, colour) in enumerate(KINDS):
        path = path_of(batch_size, rate)
        grown = " ".join(f"{at:.2f}%{{stroke-dashoffset:{1 - share:.4f}}}" for at, share in frames(path))
        moved = " ".join(f"{at:.2f}%{{stroke-dashoffset:{-0.998 * share:.4f}}}" for at, share in frames(path))
        rules.append(f"@keyframes grow{number}{{{grown} 100%{{stroke-dashoffset:0}}}}")
        rules.append(f"@keyframes move{number}{{{moved} 100%{{stroke-dashoffset:-.998}}}}")
        rules.append(
            f".grow{number}{{animation-name:grow{number}}} .descent .move{number}{{animation-name:move{number}}}"
        )
        line = f'points="{points_of(path)}" pathLength="1" stroke="{colour}"'
        thin = 1 if batch_size == 1 else 2
        lines.append(f'<polyline class="path grow{number}" {line} stroke-width="{thin}"/>')
        lines.append(f'<polyline class="dot move{number}" {line}/>')
        y = top + height + 56 + 19 * number
        names.append(
            f'<line x1="{left}" x2="{left + 26}" y1="{y - 5}" y2="{y - 5}" stroke="{colour}" stroke-width="3"/>'
        )
        steps = f"{len(path) - 1:,} steps, learning rate {rate:g}"
        names.append(f'<text x="{left + 36}" y="{y}">{name}: {steps}</text>')
    rings = "".join(f'<polyline points="{points_of(ring)}" stroke="{style.GREY}"/>' for ring in contours())
    x, y = placed(np.array([[-1.0, 1.5]]))[0]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            ' aria-labelledby="descent-title">',
            f'<title id="descent-title">Three kinds of gradient descent on one loss, {EPOCHS} epochs each</title>',
            "<style>",
            ".descent polyline{fill:none;stroke-linejoin:round} .descent text{font:15px sans-serif;fill:#1f2937}",
            ".descent .path{stroke-dasharray:1} .descent .dot{stroke-width:12;stroke-linecap:round;"
            "stroke-dasharray:.002 2;stroke-dashoffset:-.998}",
            "@media (prefers-reduced-motion:no-preference){",
            f".descent .path,.descent .dot{{animation:{SECONDS}s linear 3 both}}",
            *(f".descent {rule}" if rule.startswith(".") else rule for rule in rules),
            "}",
            "</style>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<clipPath id="descent-frame"><rect x="{left}" y="{top}" width="{width}" height="{height}"/></clipPath>',
            f'<g class="descent"><g clip-path="url(#descent-frame)">{rings}{"".join(lines)}</g>',
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="{style.DARK_GREY}"/>',
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{style.DARK_GREY}"/>',
            f'<text x="{x + 10:.1f}" y="{y - 8:.1f}">start</text>',
            f'<text x="{left + width / 2}" y="{top + height + 24}" text-anchor="middle">weight</text>',
            f'<text transform="translate({left - 20} {top + height / 2}) rotate(-90)" text-anchor="middle">bias</text>',
            *names,
            "</g>",
            "</svg>\n",
        ]
    )


def main(folder=style.PICTURES):
    (folder / "descent_moving.svg").write_text(drawing(), encoding="utf-8")


if __name__ == "__main__":
    main()
