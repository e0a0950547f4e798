"""Parity with PyTorch: schedules of the learning rate."""

import mirror
import numpy as np
import pytest
from parity import BATCH, ROWS, STEPS, F, assert_parity, inputs, labels, smooth_network, torch, train_both

import fastnn as fn
from fastnn import schedules

pytestmark = pytest.mark.usefixtures("torch_settings")

lr = torch.optim.lr_scheduler
RATE = 0.05
BY_STEP = {
    "step": (schedules.Step(RATE, every=30, factor=0.5, unit="step"), lambda o: lr.StepLR(o, 30, 0.5)),
    "exponential": (schedules.Exponential(RATE, factor=0.99, unit="step"), lambda o: lr.ExponentialLR(o, 0.99)),
    "cosine": (
        schedules.Cosine(RATE, steps=STEPS, minimum=1e-3),
        lambda o: lr.CosineAnnealingLR(o, STEPS, eta_min=1e-3),
    ),
    "warm-up": (
        schedules.Warmup(RATE, steps=40, start=0.1 * RATE),
        lambda o: lr.LinearLR(o, start_factor=0.1, total_iters=40),
    ),
    "warm-up, cosine": (
        schedules.Warmup(schedules.Cosine(RATE, steps=150), steps=50, start=0.2 * RATE),
        lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.2, total_iters=50), lr.CosineAnnealingLR(o, 150)], [50]),
    ),
    "one-cycle": (
        schedules.OneCycle(RATE, steps=STEPS),
        lambda o: lr.OneCycleLR(o, RATE, total_steps=STEPS, cycle_momentum=False),
    ),
    "one-cycle, options": (
        schedules.OneCycle(RATE, steps=STEPS, warmup_fraction=0.4, start_divisor=10, end_divisor=50),
        lambda o: lr.OneCycleLR(
            o, RATE, total_steps=STEPS, pct_start=0.4, div_factor=10, final_div_factor=50, cycle_momentum=False
        ),
    ),
    "inverse": (
        schedules.InverseScaling(RATE, power=0.5),
        lambda o: lr.LambdaLR(o, lambda t: (t + 1) ** -0.5),
    ),
}


class UpToTheLast:
    """A PyTorch scheduler that is not stepped after the last update, which one-cycle refuses."""

    def __init__(self, scheduler):
        self.scheduler, self.steps = scheduler, 0

    def step(self):
        self.steps += 1
        if self.steps < STEPS:
            self.scheduler.step()


@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")
@pytest.mark.parametrize("name", BY_STEP)
def test_schedule_by_step(dtype, name):
    schedule, scheduler = BY_STEP[name]
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.SGD(schedule),
        torch.nn.CrossEntropyLoss(),
        lambda net: torch.optim.SGD(net.parameters(), lr=RATE),
        inputs(dtype),
        labels(),
        scheduler=lambda optimizer: UpToTheLast(scheduler(optimizer)),
    )


BY_EPOCH = {
    "step": (schedules.Step(RATE, every=6, factor=0.5), lambda o: lr.StepLR(o, 6, 0.5)),
    "exponential": (schedules.Exponential(RATE, factor=0.9), lambda o: lr.ExponentialLR(o, 0.9)),
    "cosine": (schedules.Cosine(RATE, steps=20, unit="epoch"), lambda o: lr.CosineAnnealingLR(o, 20)),
    "warm-up, exponential": (
        schedules.Warmup(schedules.Exponential(RATE, factor=0.9), steps=5, start=0.1 * RATE, unit="epoch"),
        lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.1, total_iters=5), lr.ExponentialLR(o, 0.9)], [5]),
    ),
    "one-cycle": (
        schedules.OneCycle(RATE, steps=21, unit="epoch"),
        lambda o: lr.OneCycleLR(o, RATE, total_steps=21, cycle_momentum=False),
    ),
    "plateau": (
        schedules.ReduceOnPlateau(RATE, factor=0.3, patience=1, min_delta=0.02, cooldown=2, minimum=1e-3),
        lambda o: lr.ReduceLROnPlateau(
            o, factor=0.3, patience=1, threshold=0.02, threshold_mode="abs", cooldown=2, min_lr=1e-3
        ),
    ),
    "plateau of the accuracy": (
        schedules.ReduceOnPlateau(RATE, factor=0.5, patience=0, monitor="accuracy"),
        lambda o: lr.ReduceLROnPlateau(o, mode="max", factor=0.5, patience=0, threshold=0, threshold_mode="abs"),
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")
@pytest.mark.parametrize("name", BY_EPOCH)
def test_schedule_by_epoch(dtype, name):
    """Through `fit`: 20 epochs of 10 batches, in the order of the rows."""
    schedule, scheduler = BY_EPOCH[name]
    net, X, y, epochs = smooth_network(dtype), inputs(dtype), labels(), STEPS * BATCH // ROWS
    reference = mirror.torch_network(net)
    trainer = fn.Trainer(net, "cross_entropy", fn.SGD(schedule), batch_size=BATCH, shuffle=False)
    history = trainer.fit(X, y, epochs=epochs)
    algorithm = torch.optim.SGD(reference.parameters(), lr=RATE)
    after, seen = scheduler(algorithm), []
    for _ in range(epochs):
        seen.append(algorithm.param_groups[0]["lr"])
        total = hits = 0.0
        for start in range(0, ROWS, BATCH):
            algorithm.zero_grad()
            rows = slice(start, start + BATCH)
            outputs = reference(torch.from_numpy(X[rows]))
            loss = F.cross_entropy(outputs, torch.from_numpy(y[rows]))
            total += loss.item() * BATCH
            hits += (outputs.argmax(1) == torch.from_numpy(y[rows])).sum().item()
            loss.backward()
            algorithm.step()
        if isinstance(after, lr.ReduceLROnPlateau):
            after.step(hits / ROWS if schedule.monitor == "accuracy" else total / ROWS)
        else:
            after.step()
    np.testing.assert_allclose(history["learning_rate"], seen, rtol=1e-12)
    assert len(set(seen)) > 3 or "plateau" in name
    assert len(set(seen)) > 1
    assert_parity(net, reference)
