"""How BioImage.IO describes what a model takes and what it answers.

Source: specification 0.5 of BioImage.IO models. Our own choices: the least size and
the halo of a block.
"""

import math
from collections.abc import Mapping
from typing import Any, get_args

from napari_mtseg.batches.normalisation import HIGH, LOW
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.export_words import (
    channel_names,
    normalisation_of_model,
)

INPUT = "image"
"""name of the only input"""

MAX_HALO = {2: 32, 3: 8}
"""most pixels per axis at the edge of a block that are given up, before they are
rounded up to the pooling grid: what a network sees beyond them changes little, and a
halo of its whole radius would make blocks that no memory holds"""

TEST_SIZE = {2: (128, 128), 3: (16, 48, 48)}
"""fewest pixels per axis of the test image"""

EPSILON = 1e-6
"""added to what intensities are divided by; the least that makes sense in float32"""


def halo_of(network: ExportedNetwork) -> tuple[int, ...]:
    """Return the pixels per axis that a block gives up at each edge."""
    grid, radius = network.size_multiple, network.windowed.halo
    most = MAX_HALO[len(grid)]
    return tuple(
        n * math.ceil(min(reach, most) / n)
        for n, reach in zip(grid, radius, strict=True)
    )


def least_size(network: ExportedNetwork) -> tuple[int, ...]:
    """Return the fewest pixels per axis of a block: something is left of it."""
    rows = zip(network.size_multiple, network.least_size, halo_of(network), strict=True)
    return tuple(max(least, n * (2 * halo // n + 1)) for n, least, halo in rows)


def size_of_test_image(network: ExportedNetwork) -> tuple[int, ...]:
    """Return the size of the test image: large enough to see something on it."""
    least, grid = least_size(network), network.size_multiple
    wanted = TEST_SIZE[len(grid)]
    return tuple(
        low + n * math.ceil(max(size - low, 0) / n)
        for low, n, size in zip(least, grid, wanted, strict=True)
    )


def input_tensor(info: ModelInfo, network: ExportedNetwork, *, test: Any) -> Any:
    """Return the description of the input; ``test`` is the file of the test image."""
    from bioimageio.spec.model import v0_5

    rows = zip(_space(info), least_size(network), network.size_multiple, strict=True)
    axes = [
        v0_5.SpaceInputAxis(
            **space,
            size=v0_5.ParameterizedSize(min=least, step=step),
            concatenable=not network.windowed.image_heads,
        )
        for space, least, step in rows
    ]
    names = [f"channel {n}" for n in range(info.n_channels)]
    return v0_5.InputTensorDescr(
        id=v0_5.TensorId(INPUT),
        description="What the network sees; see the documentation for the colour mode.",
        axes=[v0_5.BatchAxis(), v0_5.ChannelAxis(channel_names=names), *axes],
        data=v0_5.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_preprocessing(info),
        test_tensor=test,
    )


def output_tensors(
    info: ModelInfo, network: ExportedNetwork, *, tests: Mapping[str, Any]
) -> list[Any]:
    """Return the description of each answer; ``tests`` are the expected ones."""
    from bioimageio.spec.model import v0_5

    halo = halo_of(network)
    found = []
    for head, n_channels in network.heads.items():
        names = channel_names(info, head, n_channels)
        axes: list[Any] = [v0_5.BatchAxis(), v0_5.ChannelAxis(channel_names=names)]
        if head not in network.windowed.image_heads:
            axes += map(_output_axis, _space(info), halo)
        kind = network.windowed.activations.get(head, "softmax")
        limits = (None, None) if kind == "none" else (0.0, 1.0)
        found.append(
            v0_5.OutputTensorDescr(
                id=v0_5.TensorId(head),
                description=f"{head}, after its activation ({kind})",
                axes=axes,
                data=v0_5.IntervalOrRatioDataDescr(type="float32", range=limits),
                test_tensor=tests[head],
            )
        )
    return found


def _output_axis(space: Mapping[str, Any], halo: int) -> Any:
    from bioimageio.spec.model import v0_5

    size = v0_5.SizeReference(
        tensor_id=v0_5.TensorId(INPUT), axis_id=v0_5.AxisId(space["id"])
    )
    if halo == 0:
        return v0_5.SpaceOutputAxis(**space, size=size)
    return v0_5.SpaceOutputAxisWithHalo(**space, size=size, halo=halo)


def _space(info: ModelInfo) -> list[dict[str, Any]]:
    """Return name, voxel size and unit of each axis."""
    from bioimageio.spec.model import v0_5

    unit = info.unit if info.unit in get_args(v0_5.SpaceUnit) else None
    names = "zyx"[-info.ndim :]
    return [
        {"id": v0_5.AxisId(name), "scale": scale, "unit": unit}
        for name, scale in zip(names, info.spacing, strict=True)
    ]


def _preprocessing(info: ModelInfo) -> list[Any]:
    """Return our normalisation in the words of the specification."""
    from bioimageio.spec.model import v0_5

    axes = [v0_5.AxisId(name) for name in "zyx"[-info.ndim :]]
    kind = normalisation_of_model(info)
    if kind == "zscore":
        deviation = v0_5.ZeroMeanUnitVarianceKwargs(axes=axes, eps=EPSILON)
        return [v0_5.ZeroMeanUnitVarianceDescr(kwargs=deviation)]
    if kind == "percentile":
        scaled = v0_5.ScaleRangeKwargs(
            axes=axes, min_percentile=LOW, max_percentile=HIGH, eps=EPSILON
        )
        # 0..1 becomes -1..1
        centred = v0_5.ScaleLinearKwargs(gain=2.0, offset=-1.0)
        return [
            v0_5.ScaleRangeDescr(kwargs=scaled),
            v0_5.ScaleLinearDescr(kwargs=centred),
        ]
    return []
