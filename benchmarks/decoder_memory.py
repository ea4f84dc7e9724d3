"""Peak memory of one training step of task decomposition, by decoder.

    python -m benchmarks.decoder_memory
    python -m benchmarks.decoder_memory --device cuda

The full decoder enlarges 512 channels to the size of the image before it convolves
them, the low-memory one 64 (METHODS.md section 1). Both take one step on one image in
a process of their own, and what the process held before that step is left out.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

MIB = 2**20
DECODERS = ("full", "low-memory")
N_CLASSES, N_SCENES = 12, 3
"""outputs with background, and scenes, of the paper's first data"""


def main() -> None:
    """Measure both decoders and print them side by side."""
    arguments = _parser().parse_args()
    if arguments.decoder is not None:
        print(json.dumps(measured(arguments)))
        return
    rows = [_in_a_process(name, arguments) for name in DECODERS]
    print("\n".join(table(rows, arguments.size, arguments.device)))


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Take one training step and return its peak memory and time."""
    import torch

    from napari_mtseg.losses.masked import masked_cross_entropy, masked_iou
    from napari_mtseg.networks.blocks import seeded
    from napari_mtseg.networks.decomposed_network import DecomposedNetwork

    device = torch.device(arguments.device)
    low_memory = arguments.decoder == "low-memory"
    with seeded(0):
        network = DecomposedNetwork(3, N_CLASSES, N_SCENES, low_memory=low_memory)
        image = torch.rand(1, 3, arguments.size, arguments.size).to(device)
        target = torch.randint(N_CLASSES, (1, *image.shape[2:])).to(device)
    network.to(device)
    optimizer = torch.optim.Adam(network.parameters())
    before = _peak(device)
    begin = time.monotonic()
    logits = network(image)["segmentation"]
    loss = masked_cross_entropy(logits, target)
    (loss + masked_iou(logits.softmax(dim=1), target)).backward()
    optimizer.step()
    return {
        "decoder": arguments.decoder,
        "parameters": sum(p.numel() for p in network.parameters()),
        "mib": (_peak(device) - before) / MIB,
        "seconds": time.monotonic() - begin,
    }


def table(rows: Sequence[dict[str, Any]], size: int, device: str) -> list[str]:
    """Return the lines of the table."""
    first, *_ = rows
    lines = [
        f"One training step on one {size} x {size} image, {device}: memory above what "
        "was held before it.",
        "",
        "| decoder | parameters | peak memory (MiB) | share | seconds |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            row["decoder"],
            f"{row['parameters']:,}",
            f"{row['mib']:.0f}",
            f"{row['mib'] / first['mib']:.2f}",
            f"{row['seconds']:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _in_a_process(decoder: str, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.decoder_memory", "--decoder", decoder]
    command += ["--size", str(arguments.size), "--device", arguments.device]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _peak(device: Any) -> int:
    """Return the most memory that was held so far, bytes."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=512, help="pixels along a side")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--decoder", choices=DECODERS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
