"""Prediction of a large image: our windows beside MONAI's sliding window.

Run ``python -m benchmarks.prediction_speed [--quick] [--json]``. Both predict the same
image with the same recursive-approximation network (random weights, random running
statistics) in one process; the deviation is that of the foreground probability from
the output of the unchanged network on the whole image.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from numpy.typing import NDArray
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.inference import apply_in_windows
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.recursive_unet import RecursiveUNet

Predict = Callable[[], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of predicting the image."""

    base: int
    """channels of the finest level"""
    way: str
    seconds: float
    """wall time, best of the repeats"""
    cpu_seconds: float
    """of all threads, best of the repeats; less disturbed by other processes"""
    speedup: float
    """wall time of the fastest MONAI row with the unchanged network, over ours"""
    cpu_speedup: float
    """the same of the processor time"""
    max_deviation: float
    mean_deviation: float


def random_network(base: int) -> RecursiveUNet:
    """Return a network in eval mode whose batch norms have random statistics."""
    with seeded(base):
        network = RecursiveUNet(1, 2, base=base)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.get_buffer("running_mean"), 0, 0.1)
                nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    return network.eval()


def ways(
    network: RecursiveUNet, image: NDArray[np.float32], budgets: Sequence[int]
) -> dict[str, Predict]:
    """Return each way of predicting the image, by its name in the table."""
    prepared = prepared_for_inference(network)
    pixels = torch.from_numpy(image)[None]

    def ours(megabytes: int) -> Predict:
        def predict() -> NDArray[np.float32]:
            maps, _ = apply_in_windows(
                prepared,
                image,
                device=torch.device("cpu"),
                memory_budget_bytes=megabytes * 2**20,
                outputs=("segmentation",),
            )
            return maps["segmentation"][1]

        return predict

    def monai(roi: int, overlap: float, predictor: nn.Module) -> Predict:
        def predict() -> NDArray[np.float32]:
            with torch.inference_mode():
                logits = sliding_window_inference(
                    pixels,
                    (roi, roi),
                    1,
                    lambda x: predictor(x)["segmentation"],
                    overlap=overlap,
                    mode="gaussian",
                )
                return logits[0].softmax(0)[1].numpy()

        return predict

    found = {f"ours, {mb} MB": ours(mb) for mb in budgets}
    for roi in (256, 512):
        for overlap in (0.25, 0.5):
            found[f"MONAI, roi {roi}, overlap {overlap}"] = monai(roi, overlap, network)
    found["MONAI with our folded network, roi 512, overlap 0.25"] = monai(
        512, 0.25, prepared
    )
    return found


def measured(base: int, size: int, budgets: Sequence[int], repeats: int) -> list[Row]:
    """Return a row per way; the ways take turns, so that a busy machine hits all."""
    network = random_network(base)
    image = np.random.default_rng(0).normal(size=(1, size, size)).astype(np.float32)
    with torch.inference_mode():
        logits = network(torch.from_numpy(image)[None])["segmentation"][0]
        reference = logits.softmax(0)[1].numpy()
    seconds: dict[str, tuple[float, float]] = {}
    deviations: dict[str, NDArray[np.float32]] = {}
    for _ in range(repeats):
        for way, predict in ways(network, image, budgets).items():
            start = time.perf_counter(), time.process_time()
            foreground = predict()
            spent = time.perf_counter() - start[0], time.process_time() - start[1]
            before = seconds.get(way, spent)
            seconds[way] = min(spent[0], before[0]), min(spent[1], before[1])
            deviations[way] = np.abs(foreground - reference)
    rivals = [s for way, s in seconds.items() if way.startswith("MONAI, ")]
    return [
        Row(
            base=base,
            way=way,
            seconds=wall,
            cpu_seconds=cpu,
            speedup=min(rival[0] for rival in rivals) / wall,
            cpu_speedup=min(rival[1] for rival in rivals) / cpu,
            max_deviation=float(deviations[way].max()),
            mean_deviation=float(deviations[way].mean()),
        )
        for way, (wall, cpu) in seconds.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="base 16, 1024 x 1024, once"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, no table")
    parser.add_argument("--threads", type=int, help="left out: PyTorch's choice")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    size, repeats = (1024, 1) if arguments.quick else (2048, 2)
    budgets = (1000, 500) if arguments.quick else (8000, 2000, 1000, 500)
    bases = (16,) if arguments.quick else (16, 32)
    rows = [r for base in bases for r in measured(base, size, budgets, repeats)]
    threads = torch.get_num_threads()
    if arguments.json:
        found = {"size": size, "threads": threads, "rows": [asdict(r) for r in rows]}
        print(json.dumps(found))
        return
    print(f"{size} x {size} pixels, {threads} threads, float32, CPU")
    print(f"{'base':>4}  {'way':<52}     s (x)     cpu s (x)  max dev  mean dev")
    for row in rows:
        print(
            f"{row.base:>4}  {row.way:<52}"
            f" {row.seconds:>6.2f} ({row.speedup:.2f})"
            f" {row.cpu_seconds:>6.2f} ({row.cpu_speedup:.2f})"
            f"  {row.max_deviation:.1e}  {row.mean_deviation:.1e}"
        )


if __name__ == "__main__":
    main()
