"""What many passes with dropout cost, beside passes that compute everything.

Run ``python -m benchmarks.monte_carlo_cost [--method baseline] [--place decoder]
[--passes 20] [--size 1024] [--device cpu]``. One image of ``size`` x ``size`` pixels in
one window; the network of each method's preset 'fast', with random weights.

The time before the first dropout is that of a plain pass that is broken off where the
first dropout begins; the rest is what a whole plain pass takes longer. *Predicted* is
the first once and the second for each pass. *Measured* is the program's own way to the
maps: passes, softmax, mean, entropy and variance. *Naive* are whole plain passes, and
nothing done with them. All four take turns in a shuffled order; the table has the
medians.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from napari_mtseg.methods.catalog import CATALOG, load_method, settings_of
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.dropout import active_dropouts
from napari_mtseg.networks.mean_answers import mean_answers
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.samples import MonteCarloDropout, seed_of_pass
from napari_mtseg.networks.windowed_network import WindowedNetwork

SHARE = 0.2
"""of the maps that are dropped"""
SINGLE_TURNS = 4
"""single passes of each kind in a round"""
CHECKED_PASSES = 5
"""of which every logit is compared"""


Clock = Callable[[], float]
"""Seconds"""


class ReachedDropoutError(Exception):
    """A pass has come to its first dropout."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds for one image; medians."""

    method: str
    before: float
    """up to the first dropout"""
    rest: float
    """of one pass, after the first dropout has begun"""
    predicted: float
    measured: float
    naive: float
    difference: float
    """largest one between logits of the program's passes and plain ones"""


def network_of(method: str, place: str | None, device: torch.device) -> nn.Module:
    """Return a method's network with dropout, prepared to predict."""
    values: dict[str, Any] = {"dropout": SHARE}
    if place is not None:
        values["dropout_place"] = place
    settings = settings_of(method, preset_name="fast", ndim=2, values=values)
    task = Task(n_channels=1, n_classes=1, spacing=(1.0, 1.0))
    with seeded(0):
        network: nn.Module = load_method(method)(settings, task).network()
    return prepared_for_inference(network).to(device)


class Contest:
    """The ways to many answers for one image, each as something that can be timed."""

    def __init__(self, network: nn.Module, image: Tensor, *, n_passes: int) -> None:
        self._network = network
        self._image = image
        self._n = n_passes
        self._dropouts = active_dropouts(network)
        windowed = cast("WindowedNetwork", network)
        self._heads = (*windowed.head_channels, *windowed.image_heads)
        self._activations = windowed.activations

    @torch.no_grad()
    def plain_pass(self) -> dict[str, Tensor]:
        """Return the answers of a pass that computes everything."""
        for module in self._dropouts:
            module.train()
        try:
            answers: dict[str, Tensor] = self._network(self._image)
            return answers
        finally:
            self._network.eval()

    def broken_off(self) -> None:
        """Compute what lies before the first dropout."""
        hooks = [m.register_forward_pre_hook(_break_off) for m in self._dropouts]
        try:
            self.plain_pass()
        except ReachedDropoutError:
            return
        finally:
            for hook in hooks:
                hook.remove()

    def ours(self) -> None:
        """Compute the maps of all passes as the program does."""
        samples = MonteCarloDropout(self._network, n_passes=self._n, seed=0)
        mean_answers(samples(self._image), self._heads, self._activations)

    def naive(self) -> None:
        """Compute as many plain passes."""
        for _ in range(self._n):
            self.plain_pass()

    def difference(self) -> float:
        """Return the largest difference of a logit where the same maps are dropped."""
        samples = MonteCarloDropout(
            self._network, n_passes=min(self._n, CHECKED_PASSES), seed=0
        )
        largest = 0.0
        for number, answers in enumerate(samples(self._image)):
            with seeded(seed_of_pass(0, number), self._image.device):
                plain = self.plain_pass()
            gaps = [(answers[name] - plain[name]).abs().max() for name in plain]
            largest = max(largest, *(float(gap) for gap in gaps))
        return largest


def cost_of(
    method: str, contest: Contest, *, n_passes: int, rounds: int, clock: Clock
) -> Cost:
    """Return the costs of one network; all ways take turns, in any order."""
    ways: dict[str, Callable[[], Any]] = {
        "before": contest.broken_off,
        "pass": contest.plain_pass,
        "ours": contest.ours,
        "naive": contest.naive,
    }
    difference = contest.difference()  # which warms up as well
    found: dict[str, list[float]] = {way: [] for way in ways}
    turns = ["ours", "naive", *("before", "pass") * SINGLE_TURNS] * rounds
    random.Random(0).shuffle(turns)  # what ran before leaves its traces in memory
    for way in turns:
        found[way].append(_seconds(ways[way], clock))
    median = {way: statistics.median(times) for way, times in found.items()}
    rest = median["pass"] - median["before"]
    return Cost(
        method=method,
        before=median["before"],
        rest=rest,
        predicted=median["before"] + n_passes * rest,
        measured=median["ours"],
        naive=median["naive"],
        difference=difference,
    )


def table(costs: Sequence[Cost]) -> str:
    """Return the costs in Markdown."""
    lines = [
        "| method | before dropout (s) | rest of a pass (s) | predicted (s) | "
        "measured (s) | measured / predicted | naive (s) | largest difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{c.method}` | {c.before:.3f} | {c.rest:.3f} | {c.predicted:.2f} | "
        f"{c.measured:.2f} | {c.measured / c.predicted:.2f} | {c.naive:.2f} | "
        f"{c.difference:.1e} |"
        for c in costs
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", nargs="*", choices=CATALOG, default=list(CATALOG))
    parser.add_argument("--place", help="of the dropout; the method's own if left out")
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="time of the processor instead, less disturbed by other programs",
    )
    parser.add_argument("--threads", type=int, help="left out: PyTorch's choice")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    with seeded(1):
        image = torch.randn(1, 1, asked.size, asked.size).to(device)
    clock = time.process_time if asked.cpu_time else partial(_wall_time, device)
    costs = []
    for method in asked.method:
        network = network_of(method, asked.place, device)
        contest = Contest(network, image, n_passes=asked.passes)
        costs.append(
            cost_of(
                method,
                contest,
                n_passes=asked.passes,
                rounds=asked.rounds,
                clock=clock,
            )
        )
    kind = "processor" if asked.cpu_time else "wall"
    print(
        f"{asked.size} x {asked.size} pixels, {asked.passes} passes, dropout "
        f"{asked.place or 'where each method has it'}, {_where(device)}, {kind} time, "
        f"medians of {asked.rounds} rounds\n\n{table(costs)}"
    )


def _seconds(way: Callable[[], Any], clock: Clock) -> float:
    start = clock()
    way()
    return clock() - start


def _wall_time(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _where(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def _break_off(module: nn.Module, _: object) -> None:
    raise ReachedDropoutError(type(module).__name__)


if __name__ == "__main__":
    main()
