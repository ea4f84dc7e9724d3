"""The plan of an image that is predicted in blocks, made by whoever has the model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.methods.protocol import BlockRule
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.main_memory import free_main_memory
from napari_mtseg.storage.zarr_metadata import MapKind
from napari_mtseg.storage.zarr_results import SUFFIX
from napari_mtseg.workflows.block_plan import BlockPlan, block_sides
from napari_mtseg.workflows.derived_maps import SAMPLED_MAPS
from napari_mtseg.workflows.image_fit import check_fits
from napari_mtseg.workflows.network_input import NetworkPixels, normalisation_for
from napari_mtseg.workflows.network_outputs import GIB
from napari_mtseg.workflows.predict import Model

SHARE_OF_MEMORY = 0.7
"""of the free memory that predicting an image at once may take (ours)"""

MOST_PIXELS = 2**24
"""of a block (ours)"""

LEAST_PIXELS = 2**18
"""of a block that the memory is not asked for (ours)"""


@dataclass(frozen=True, kw_only=True)
class BlockRequest:
    """An image, and what is wanted of it."""

    image_path: Path
    """absolute"""
    stem: Path
    """folder and beginning of the names of the results, absolute"""
    maps: tuple[str, ...]
    """what to write"""
    channels: tuple[int, ...] | None
    """channels of the file to use; all if None"""
    axes: str | None
    """axes of the file as the user gave them"""


@dataclass(frozen=True, eq=False, kw_only=True)
class PlannedBlocks:
    """How an image is predicted, and what its results are called."""

    plan: BlockPlan
    """of the image"""
    kinds: Mapping[str, MapKind]
    """what each map holds"""
    min_size: int
    """whole objects of fewer pixels are dropped"""
    only_largest: bool
    """True if only the largest object of each class stays"""
    class_names: dict[int, str]
    """class -> name"""
    scenes: tuple[str, ...]
    """names of the scenes"""
    notices: tuple[str, ...]
    """what the user should know, a sentence each"""
    uncertainty_from: str
    """which answers the uncertainty comes from, in words"""
    is_sampled: bool
    """True if each window is answered several times"""
    fingerprint: str
    """of the model and how it answers"""


def is_too_large(model: Model, image: Image) -> bool:
    """Tell whether the memory is too small to predict an image at once.

    Parameters
    ----------
    model : Model
        From :func:`~napari_mtseg.workflows.predict.load_model`.
    image : Image
        An opened image; no pixel is read.

    Returns
    -------
    bool
        True if the result would take more than SHARE_OF_MEMORY of what is free.
    """
    needed = math.prod(image.info.spatial_shape) * model.bytes_per_pixel
    return needed > SHARE_OF_MEMORY * free_main_memory()


def planned_blocks(model: Model, request: BlockRequest) -> PlannedBlocks:
    """Plan the prediction of an image; a thinned sample of it is read.

    Raises
    ------
    ImageError
        If the image is damaged, or its sample holds NaN or infinite values.
    ModelError
        If the image has other dimensions or channels than the model.
    MemoryShortageError
        If not even the smallest window fits.
    SettingsError
        If a map, or the objects of this model, are not to be had in blocks.
    """
    rule = model.method.block_rule()
    _check_maps(rule, request.maps)
    image = open_image(request.image_path, channels=request.channels, axes=request.axes)
    check_fits(image, model.info)
    pixels = NetworkPixels(image.pixels, model.info.colour)
    kind = model.method.settings.normalisation
    normalise = normalisation_for(image.name, pixels, kind)
    grid = model.predictor.grid(pixels)
    fitting = int(model.memory * GIB / model.bytes_per_pixel)
    most = min(max(fitting, LEAST_PIXELS), MOST_PIXELS)
    plan = BlockPlan(
        image_path=request.image_path,
        channels=request.channels,
        axes=request.axes,
        result=request.stem.with_name(request.stem.name + SUFFIX),
        maps=request.maps,
        info=image.info,
        grid=grid,
        block=block_sides(grid, rule.margin, max_pixels=most),
        margin=rule.margin,
        normalisation=normalise.normalise,
    )
    return PlannedBlocks(
        plan=plan,
        kinds=_kinds(model, rule, request.maps),
        min_size=rule.min_size,
        only_largest=rule.only_largest,
        class_names=model.class_names,
        scenes=model.info.scenes,
        notices=(*model.notices(image.info), *_joining_notice(plan)),
        uncertainty_from=model.uncertainty_from,
        is_sampled=model.is_sampled,
        fingerprint=model.fingerprint,
    )


def _check_maps(rule: BlockRule, maps: tuple[str, ...]) -> None:
    if rule.refusal is not None:
        raise SettingsError(rule.refusal)
    missing = [name for name in maps if name in ("distance", *rule.missing_maps)]
    if missing:
        raise SettingsError(
            f"The map '{missing[0]}' needs the whole image at once and is not to be "
            "had of an image that is predicted in blocks. Leave it out with --maps."
        )


def _kinds(model: Model, rule: BlockRule, maps: tuple[str, ...]) -> dict[str, MapKind]:
    """Return what each map holds; own maps are seen on a tiny image."""
    known: dict[str, DTypeLike] = {
        "instances": np.uint32,
        "classes": np.uint8,
        "contours": np.bool_,
        "uncertainty": np.float32,
        **dict.fromkeys(SAMPLED_MAPS, np.float32),
        **{name: one.dtype for name, one in _tiny(model, rule).maps.items()},
    }
    kinds = {}
    for name in maps:
        if name == "probabilities":
            n_outputs = model.predictor.heads["segmentation"]
            kinds[name] = MapKind(dtype="float16", n_channels=n_outputs)
        else:
            values = model.class_names if name == "classes" else {}
            kinds[name] = MapKind(dtype=np.dtype(known[name]).name, value_names=values)
    return kinds


def _tiny(model: Model, rule: BlockRule) -> Prediction:
    """Return what the method makes of an image without any object."""
    shape = (8,) * model.info.ndim
    outputs = {
        name: np.zeros((n, *shape), np.float32)
        for name, n in model.predictor.heads.items()
    }
    for probabilities in outputs.values():
        probabilities[0] = 1
    whole = {n: np.zeros(k, np.float32) for n, k in model.predictor.image_heads.items()}
    return rule.interpret({**outputs, **whole})


def _joining_notice(plan: BlockPlan) -> tuple[str, ...]:
    if not any(plan.margin) or plan.n_blocks == 1:
        return ()
    margin = " x ".join(str(m) for m in plan.margin)
    return (
        f"It was predicted in {plan.n_blocks} blocks that overlap by {margin} pixels "
        "on each side: larger objects may differ from those of the whole image at "
        "once.",
    )
