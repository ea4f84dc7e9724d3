"""Arrays and metadata of the maps in an OME-Zarr folder (version 0.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.storage.voxel_sizes import LENGTHS_IN_METRES
from napari_mtseg.storage.zarr_pyramids import smaller_shape

OWN_FACTS = "mtseg"
"""attribute of the folder that tells where each map lies and how it was shrunk"""

_VERSION = "0.4"


@dataclass(frozen=True, kw_only=True)
class MapKind:
    """What a map of an image holds."""

    dtype: str
    """NumPy name; on disk bool becomes 0 and 1, float16 float32, for other programs"""
    n_channels: int | None = None
    """length of the first axis of (C, [Z,] Y, X); None of a map ([Z,] Y, X)"""
    value_names: Mapping[int, str] = field(default_factory=dict)
    """what the values mean, such as class -> name; empty where they are just ids"""

    @property
    def is_label(self) -> bool:
        """True of integers and bools without channels."""
        return np.dtype(self.dtype).kind in "bui" and self.n_channels is None

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Type on disk."""
        stored = {"bool": "uint8", "float16": "float32"}
        return np.dtype(stored.get(self.dtype, self.dtype))


def add_map(
    group: Any,
    place: str,
    kind: MapKind,
    info: ImageInfo,
    factors: tuple[tuple[int, ...], ...],
    chunk: tuple[int, ...],
) -> None:
    """Make the empty arrays of a map and its smaller copies, and describe them.

    Parameters
    ----------
    group : zarr group
        The folder.
    place : str
        Path of the map inside.
    kind : MapKind
        What it holds.
    info : ImageInfo
        Of the image.
    factors : tuple of tuple of int
        Of :func:`~napari_mtseg.storage.zarr_pyramids.pyramid_factors`.
    chunk : ([Z,] Y, X)
        Pixels that are stored together.
    """
    made = group.require_group(place)
    leading = () if kind.n_channels is None else (kind.n_channels,)
    for number, factor in enumerate(factors):
        shape = smaller_shape(info.spatial_shape, factor)
        made.create_array(
            str(number),
            shape=(*leading, *shape),
            dtype=kind.stored_dtype,
            chunks=(
                *(1 for _ in leading),
                *(min(c, n) for c, n in zip(chunk, shape, strict=True)),
            ),
            fill_value=0,
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
    name = place.rpartition("/")[2]
    facts: dict[str, Any] = {"multiscales": [_multiscale(name, kind, info, factors)]}
    if kind.is_label:
        facts["image-label"] = {"version": _VERSION, "source": {"image": "../../"}}
        if kind.value_names:
            facts["image-label"]["properties"] = [
                {"label-value": value, "name": told}
                for value, told in kind.value_names.items()
            ]
    made.attrs.update(facts)


def folder_facts(
    places: Mapping[str, str],
    maps: Mapping[str, MapKind],
    info: ImageInfo,
    factors: tuple[tuple[int, ...], ...],
) -> dict[str, Any]:
    """Return what the folder says of itself: its maps, and its first one as image.

    Parameters
    ----------
    places : mapping of str to str
        Map -> path inside the folder.
    maps : mapping of str to MapKind
        What each holds.
    info : ImageInfo
        Of the image.
    factors : tuple of tuple of int
        Of :func:`~napari_mtseg.storage.zarr_pyramids.pyramid_factors`.
    """
    facts: dict[str, Any] = {
        OWN_FACTS: {"places": dict(places), "factors": [list(f) for f in factors]}
    }
    in_order = sorted(maps, key=lambda name: maps[name].is_label)
    if in_order:
        first = in_order[0]
        image = _multiscale(first, maps[first], info, factors)
        for level in image["datasets"]:
            level["path"] = f"{places[first]}/{level['path']}"
        facts["multiscales"] = [image]
    return facts


def _multiscale(
    name: str,
    kind: MapKind,
    info: ImageInfo,
    factors: tuple[tuple[int, ...], ...],
) -> dict[str, Any]:
    """Return the metadata of an image and its smaller copies."""
    unit = {"unit": info.unit} if info.unit in LENGTHS_IN_METRES else {}
    axes = [{"name": x.lower(), "type": "space", **unit} for x in info.axes[1:]]
    channel = [] if kind.n_channels is None else [{"name": "c", "type": "channel"}]
    datasets = []
    for number, factor in enumerate(factors):
        scale = [f * s for f, s in zip(factor, info.spacing, strict=True)]
        steps: list[dict[str, Any]] = [
            {"type": "scale", "scale": [1.0] * len(channel) + scale}
        ]
        place = info.translation or (0.0,) * info.ndim
        if not kind.is_label:
            # a mean lies in the middle of its pixels, a kept label where it was
            place = tuple(
                p + (f - 1) / 2 * s
                for p, f, s in zip(place, factor, info.spacing, strict=True)
            )
        if any(place):
            shift = [0.0] * len(channel) + list(place)
            steps.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(number), "coordinateTransformations": steps})
    return {
        "version": _VERSION,
        "name": name,
        "axes": [*channel, *axes],
        "datasets": datasets,
        "type": "nearest" if kind.is_label else "mean",
    }
