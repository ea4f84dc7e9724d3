"""Training throughput beside a plain loop of MONAI transforms and a DataLoader.

    python -m benchmarks.training_speed [--quick] [--device cuda] [--compile] [--json]

Same network, loss, optimiser, patches and kinds of augmentation, in one process, in
turns; MONAI's loop runs with 0 and with 2 loader processes, and the better one counts.
Beside it the share of our step that sampling and augmentation take.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.generated_images import discs
from napari_mtseg.batches.patches import PatchSampler, training_image
from napari_mtseg.batches.warp import Augmentation
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.losses.masked import masked_cross_entropy
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.workflows.learner import CHANNELS_LAST_UP_TO

PATCH = 128
BATCH = 8
N_IMAGES = 12
WARM_UP = 2

Step = Callable[[], float]
"""takes one training step, returns the seconds spent on making the batch"""


def main() -> None:
    """Measure and print the table."""
    arguments = _arguments()
    device = torch.device(arguments.device)
    bases = (16,) if arguments.quick else (16, 32)
    n_steps = 4 if arguments.quick else arguments.steps
    images = [discs(512, seed=i) for i in range(N_IMAGES)]
    rows = []
    for base in bases:
        rows += measured(images, base, device, n_steps, compiled=False)
        if arguments.compile:
            rows += measured(images, base, device, n_steps, compiled=True)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{torch.get_num_threads()} threads, {device}, {BATCH} patches of {PATCH}^2")
    for row in rows:
        print(
            f"base {row['base']:>3} {row['loop']:<18} {row['samples_per_second']:7.2f} "
            f"samples/s  ratio {row['ratio']:.2f}  batch making "
            f"{row['batch_share']:.1%} of a step  "
            f"compile {row['compile_seconds']:.0f} s"
        )


def measured(
    images: list[tuple[np.ndarray, np.ndarray]],
    base: int,
    device: torch.device,
    n_steps: int,
    *,
    compiled: bool,
) -> list[dict[str, Any]]:
    """Time all loops in turns; ratios are to the fastest MONAI loop."""
    loops: dict[str, Step] = {"ours": _ours(images, base, device, compiled)}
    for workers in (0, 2):
        name = f"MONAI, {workers} workers"
        loops[name] = _monai(images, base, device, compiled, workers)
    compile_seconds = {}
    for name, step in loops.items():
        begin = time.perf_counter()
        for _ in range(WARM_UP):
            step()
        compile_seconds[name] = time.perf_counter() - begin if compiled else 0.0
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    making: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(n_steps):
        for name, step in loops.items():
            begin = time.perf_counter()
            making[name].append(step())
            _synchronise(device)
            seconds[name].append(time.perf_counter() - begin)
    speed = {name: BATCH / float(np.median(s)) for name, s in seconds.items()}
    best = max(v for name, v in speed.items() if name != "ours")
    return [
        {
            "base": base,
            "loop": name + (", compiled" if compiled else ""),
            "samples_per_second": speed[name],
            "ratio": speed[name] / best,
            "batch_share": float(np.median(making[name]) / np.median(seconds[name])),
            "compile_seconds": compile_seconds[name],
        }
        for name in loops
    ]


def _ours(
    images: list[tuple[np.ndarray, np.ndarray]],
    base: int,
    device: torch.device,
    compiled: bool,
) -> Step:
    layout = (
        torch.channels_last
        if base <= CHANNELS_LAST_UP_TO or device.type == "cuda"
        else torch.contiguous_format
    )
    network, optimizer = _network(base, device, layout, compiled)
    sampler = PatchSampler(
        [
            training_image(pixels, _targets(objects), rng=np.random.default_rng(0))
            for pixels, objects in images
        ],
        size=(PATCH, PATCH),
        batch_size=BATCH,
        known_share=0.5,
        augmentation=Augmentation(),
    )
    counter = iter(range(10**9))

    def step() -> float:
        begin = time.perf_counter()
        rng = np.random.default_rng(next(counter))
        batch = sampler.draw(rng, device=device, layout=layout)
        made = time.perf_counter() - begin
        _learn(network, optimizer, batch.image, batch.targets["classes"])
        return made

    return step


def _monai(
    images: list[tuple[np.ndarray, np.ndarray]],
    base: int,
    device: torch.device,
    compiled: bool,
    workers: int,
) -> Step:
    from monai.data.dataloader import DataLoader
    from monai.data.dataset import Dataset
    from monai.transforms.compose import Compose
    from monai.transforms.croppad.dictionary import (
        CenterSpatialCropd,
        RandCropByPosNegLabeld,
    )
    from monai.transforms.intensity.dictionary import (
        RandScaleIntensityd,
        RandShiftIntensityd,
    )
    from monai.transforms.spatial.dictionary import RandFlipd, RandRotated, RandZoomd

    both, modes = ("image", "label"), ("bilinear", "nearest")
    transform = Compose(
        [
            RandCropByPosNegLabeld(both, "label", (181, 181), pos=1, neg=1),
            RandRotated(both, range_x=np.pi, prob=1.0, mode=modes),
            RandZoomd(both, prob=1.0, min_zoom=0.8, max_zoom=1.25, mode=modes),
            RandFlipd(both, prob=0.5, spatial_axis=0),
            RandFlipd(both, prob=0.5, spatial_axis=1),
            CenterSpatialCropd(both, (PATCH, PATCH)),
            RandScaleIntensityd("image", factors=0.1, prob=1.0),
            RandShiftIntensityd("image", offsets=0.1, prob=1.0),
        ]
    )
    items = [
        {"image": pixels, "label": (objects > 0)[np.newaxis].astype(np.float32)}
        for pixels, objects in images
    ]
    loader = DataLoader(
        Dataset(items * (BATCH * 4 // len(items) + 1), transform),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=_collated,
    )
    network, optimizer = _network(base, device, torch.contiguous_format, compiled)
    batches = _forever(loader)

    def step() -> float:
        begin = time.perf_counter()
        image, label = next(batches)
        made = time.perf_counter() - begin
        _learn(network, optimizer, image.to(device), label.to(device))
        return made

    return step


def _collated(items: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    flat = [i[0] if isinstance(i, list) else i for i in items]
    image = torch.stack([torch.as_tensor(i["image"]) for i in flat])
    label = torch.stack([torch.as_tensor(i["label"])[0] for i in flat])
    # MONAI's tensors with metadata cannot be compiled on.
    plain = torch.Tensor
    return image.as_subclass(plain).float(), label.as_subclass(plain).long()


def _forever(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _network(
    base: int, device: torch.device, layout: torch.memory_format, compiled: bool
) -> tuple[nn.Module, torch.optim.Optimizer]:
    network: Any = RecursiveUNet(1, 2, base=base, levels=4).to(device)
    network = network.to(memory_format=layout).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    learner: Any = torch.compile(network) if compiled else network
    return learner, optimizer


def _learn(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    image: torch.Tensor,
    label: torch.Tensor,
) -> None:
    logits = network(image)
    terms = [masked_cross_entropy(answer, label) for answer in logits.values()]
    loss = torch.stack(terms).sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _targets(objects: np.ndarray) -> ImageTargets:
    classes = (objects > 0).astype(np.uint8)
    return ImageTargets(
        maps={"classes": classes}, known=classes, objects=objects, stratum="full"
    )


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="base 16, few steps")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="compiled loops too")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
