"""Forward time of one and two decoders, in turns, beside the paper's ratio.

Run ``python -m benchmarks.decoder_time [--quick] [--device cuda]``. The
networks are those of the variants Conv-MD (one decoder, parallel heads) and 1Enc2Dec-MD
at the paper's size; M is the mask alone. The paper's times are of a GTX 1060.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_mtseg.methods.catalog import load_method, settings_of
from napari_mtseg.methods.protocol import Task
from napari_mtseg.networks.blocks import seeded

PAPER = {
    "1Enc1Dec-M": 1.3131,
    "Conv-MC": 1.3384,
    "Conv-MD": 1.3235,
    "1Enc2Dec-MC": 1.8677,
    "1Enc2Dec-MD": 1.8531,
}
"""Table 2, milliseconds per image"""
PAIRS = (("1Enc2Dec-MC", "Conv-MC"), ("1Enc2Dec-MD", "Conv-MD"))
SECONDS = 0.05
"""a timed turn takes at least this long, so that the clock does not matter"""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Forward time of one variant."""

    variant: str
    parameters: int
    milliseconds: float
    """per image, median of the rounds"""
    fastest: float
    """milliseconds per image of the fastest round"""
    paper: float
    """the paper's milliseconds"""


def network_of(variant: str, *, base: int, norm: str) -> nn.Module:
    """Return a variant's network for colour images and one class, in eval mode."""
    settings = settings_of(
        "joint_shape",
        preset_name=variant,
        ndim=2,
        values={"base_channels": base, "levels": 5, "norm": norm},
    )
    task = Task(n_channels=3, n_classes=1, spacing=(1.0, 1.0))
    with seeded(0):
        network: nn.Module = load_method("joint_shape")(settings, task).network()
    return network.eval()


def milliseconds(network: nn.Module, image: Tensor) -> float:
    """Return the time of one forward pass, over as many as fill a turn."""
    n, spent = 0, 0.0
    _wait(image.device)
    start = time.perf_counter()
    while spent < SECONDS:
        network(image)
        n += 1
        _wait(image.device)
        spent = time.perf_counter() - start
    return 1000 * spent / n


def measured(
    *, size: int, base: int, norm: str, rounds: int, device: str
) -> tuple[list[Timing], dict[str, float]]:
    """Return the times, and of each pair the median over rounds of two to one.

    Variants take turns in every round, so that a busy machine hits all alike.
    """
    image = torch.rand(1, 3, size, size, device=device)
    networks = {v: network_of(v, base=base, norm=norm).to(device) for v in PAPER}
    times: dict[str, list[float]] = {variant: [] for variant in networks}
    with torch.inference_mode():
        for network in networks.values():
            milliseconds(network, image)
        for _ in range(rounds):
            for variant, network in networks.items():
                times[variant].append(milliseconds(network, image))
    timings = [
        Timing(
            variant=variant,
            parameters=sum(p.numel() for p in networks[variant].parameters()),
            milliseconds=statistics.median(found),
            fastest=min(found),
            paper=PAPER[variant],
        )
        for variant, found in times.items()
    ]
    ratios = {
        f"{two} / {one}": statistics.median(
            a / b for a, b in zip(times[two], times[one], strict=True)
        )
        for two, one in PAIRS
    }
    return timings, ratios


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    size, base, rounds = (128, 8, 3) if arguments.quick else (256, 32, 15)
    timings, ratios = measured(
        size=size,
        base=base,
        norm=arguments.norm,
        rounds=rounds,
        device=arguments.device,
    )
    where = _where(arguments.device)
    if arguments.json:
        found: dict[str, Any] = {"where": where, "size": size, "base": base}
        found |= {"rows": [asdict(t) for t in timings], "ratios": ratios}
        print(json.dumps(found))
        return
    print(f"{size} x {size} x 3 pixels, base {base}, norm {arguments.norm}, {where}\n")
    print("| variant | parameters | ms (median) | ms (fastest) | paper, ms |")
    print("|---|---|---|---|---|")
    for t in timings:
        print(
            f"| {t.variant} | {t.parameters:,} | {t.milliseconds:.2f} "
            f"| {t.fastest:.2f} | {t.paper:.4f} |"
        )
    fastest = {t.variant: t.fastest for t in timings}
    print("\n| two decoders / one | median of rounds | fastest rounds | paper |")
    print("|---|---|---|---|")
    for (two, one), ratio in zip(PAIRS, ratios.values(), strict=True):
        print(
            f"| {two} / {one} | {ratio:.2f} | {fastest[two] / fastest[one]:.2f} "
            f"| {PAPER[two] / PAPER[one]:.2f} |"
        )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _where(device: str) -> str:
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="base 8, 128 x 128")
    parser.add_argument("--json", action="store_true", help="print JSON, no table")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="left out: PyTorch's choice")
    parser.add_argument(
        "--norm", choices=("none", "instance"), default="none", help="the paper's: none"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
