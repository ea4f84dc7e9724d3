"""The methods by name. Listing them imports no torch; loading one does."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.training_settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """What is known of a method without loading it."""

    key: str
    """name in the shell and in files"""
    title: str
    """name for people"""
    summary: str
    """what it does, in one sentence"""
    uses: str
    """the annotations it learns from"""
    source: str
    """paper"""


CATALOG: Mapping[str, MethodEntry] = {
    entry.key: entry
    for entry in (
        MethodEntry(
            key="recursive_approximation",
            title="Recursive approximation",
            summary="Grows partial masks to the object boundaries, guided by a few "
            "full masks.",
            uses="partial masks and scribbles on most images, full masks on a few",
            source="Multi-task deep learning for image segmentation using recursive "
            "approximation tasks (IEEE Transactions on Image Processing, 2021)",
        ),
        MethodEntry(
            key="joint_shape",
            title="Joint shape learning",
            summary="Learns the distance to the boundary, or the contour, beside the "
            "mask, for smooth and compact objects.",
            uses="full masks; partial masks and scribbles as far as they tell",
            source="Joint shape learning and segmentation for medical images using a "
            "minimalistic deep network (arXiv:1901.08824, 2019)",
        ),
        MethodEntry(
            key="high_resolution",
            title="HMEDN",
            summary="Keeps features of high resolution and weighs pixels near blurry "
            "boundaries; nuclei mode separates touching objects.",
            uses="full masks; partial masks and scribbles as far as they tell",
            source="High-Resolution Encoder-Decoder Networks for Low-Contrast Medical "
            "Image Segmentation (IEEE Transactions on Image Processing, 2020)",
        ),
        MethodEntry(
            key="baseline",
            title="Plain U-Net",
            summary="Learns from whatever is painted and leaves the rest open.",
            uses="any: partial masks, scribbles, full masks",
            source="U-Net (MICCAI 2015), with losses on known pixels only",
        ),
    )
}

PRESETS = ("fast", "balanced", "paper")
"""named sizes of every method: minutes on two CPU cores, an hour, the paper's"""


def entry(key: str) -> MethodEntry:
    """Return a method's entry.

    Raises
    ------
    SettingsError
        If there is no such method.
    """
    if key not in CATALOG:
        known = ", ".join(CATALOG)
        raise SettingsError(f"There is no method '{key}'. Choose one of: {known}.")
    return CATALOG[key]


def settings_model(key: str) -> type[TrainingSettings]:
    """Return the class of a method's settings, without importing torch."""
    entry(key)
    model: type[TrainingSettings] = _module(key, "settings").SETTINGS
    return model


def preset(key: str, name: str, *, ndim: int) -> dict[str, Any]:
    """Return the settings of a preset that differ from the defaults.

    Raises
    ------
    SettingsError
        If there is no such preset or variant.
    """
    entry(key)
    module = _module(key, "settings")
    known: Mapping[str, Mapping[str, Any]] = {**module.PRESETS, **module.VARIANTS}
    if name not in known:
        raise SettingsError(
            f"Method '{key}' has no preset '{name}'. Choose one of: {', '.join(known)}."
        )
    volumes: Mapping[str, Mapping[str, Any]] = module.PRESETS_3D
    return {**known[name], **(volumes.get(name, {}) if ndim == 3 else {})}


def variants(key: str) -> dict[str, dict[str, Any]]:
    """Return the named variants of a method: rows of its paper's tables."""
    entry(key)
    return {
        name: dict(values) for name, values in _module(key, "settings").VARIANTS.items()
    }


def settings_of(
    key: str, *, preset_name: str, ndim: int, values: Mapping[str, Any]
) -> TrainingSettings:
    """Return a method's settings: defaults, then the preset, then ``values``.

    Raises
    ------
    SettingsError
        If a name or a value is not allowed.
    """
    return settings_model(key).checked(
        {**preset(key, preset_name, ndim=ndim), **values}
    )


def load_method(key: str) -> Any:
    """Import a method and return its class; this imports torch."""
    entry(key)
    return _module(key, "method").METHOD


def _module(key: str, name: str) -> Any:
    return import_module(f"napari_mtseg.methods.{key}.{name}")
