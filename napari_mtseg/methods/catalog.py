"""The methods by name. Listing them imports no torch; loading one does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import describe
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
            key="task_decomposition",
            title="Task decomposition",
            summary="Learns which classes occur and the scene of an image beside the "
            "mask, and keeps them in step.",
            uses="any paint; tags of scene and classes on any number of images",
            source="Task decomposition and synchronization for semantic biomedical "
            "image segmentation (IEEE Transactions on Image Processing, 2020)",
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
            title="High resolution (HMEDN)",
            summary="Keeps features of high resolution and weighs pixels near blurry "
            "boundaries; nuclei mode separates touching objects.",
            uses="full masks; partial masks and scribbles as far as they tell",
            source="High-Resolution Encoder-Decoder Networks for Low-Contrast Medical "
            "Image Segmentation (IEEE Transactions on Image Processing, 2020)",
        ),
        MethodEntry(
            key="cross_task",
            title="Cross-task consistency (MTCTL)",
            summary="Lets mask, distance map and doubt agree, on images without any "
            "paint too.",
            uses="full masks on a few images, any paint, and images without paint",
            source="A multi-task cross-task learning architecture for ad hoc "
            "uncertainty estimation in 3D cardiac MRI image segmentation (Computing in "
            "Cardiology, 2021)",
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
    """Return the settings of a preset or variant that differ from the defaults.

    Raises
    ------
    SettingsError
        If there is no such preset or variant, or it is for images of other dimensions.
    """
    known = _known_names(key, name)
    if name in _of_other_dimensions(key, ndim):
        raise SettingsError(
            f"'{name}' of method '{key}' is for {5 - ndim}D images but the images are "
            f"{ndim}D. Choose another preset."
        )
    volumes: Mapping[str, Mapping[str, Any]] = _module(key, "settings").PRESETS_3D
    return {**known[name], **(volumes.get(name, {}) if ndim == 3 else {})}


def preset_and_variant(key: str, names: Sequence[str]) -> tuple[str, str | None]:
    """Tell a size from a row of the paper's tables, of which each may be named once.

    Parameters
    ----------
    key : str
        The method.
    names : sequence of str
        A size of PRESETS, a variant, or one of each in any order.

    Returns
    -------
    (str, str or None)
        What to begin with, and the variant on top of it if both were named; as
        :func:`named_settings` takes them.

    Raises
    ------
    SettingsError
        If there is no such preset or variant, or two of one kind are named.
    """
    for name in names:
        _known_names(key, name)
    sizes = [name for name in names if name in PRESETS]
    rows = [name for name in names if name not in PRESETS]
    for kind, found in (("sizes", sizes), ("variants", rows)):
        if len(found) > 1:
            raise SettingsError(
                f"'{found[0]}' and '{found[1]}' are both {kind} of method '{key}'. "
                "Choose one size, one variant, or one of each."
            )
    first, *further = sizes + rows
    return first, further[0] if further else None


def named_settings(
    key: str, preset_name: str, variant: str | None, *, ndim: int
) -> dict[str, Any]:
    """Return what differs from the defaults: a preset, and a variant on top of it.

    Raises
    ------
    SettingsError
        As :func:`preset`.
    """
    values = preset(key, preset_name, ndim=ndim)
    return values if variant is None else values | preset(key, variant, ndim=ndim)


def variants(key: str, ndim: int | None = None) -> dict[str, dict[str, Any]]:
    """Return the named variants of a method: rows of its paper's tables.

    Those for images of other dimensions than ``ndim``, 2 or 3, are left out.
    """
    entry(key)
    left_out = frozenset() if ndim is None else _of_other_dimensions(key, ndim)
    known: Mapping[str, Mapping[str, Any]] = _module(key, "settings").VARIANTS
    return {n: dict(values) for n, values in known.items() if n not in left_out}


def dimensions_of(key: str, variant: str) -> tuple[int, ...]:
    """Return the dimensions of images that a variant is for: 2, 3 or both."""
    return tuple(n for n in (2, 3) if variant not in _of_other_dimensions(key, n))


def settings_of(
    key: str,
    *,
    preset_name: str,
    variant: str | None = None,
    ndim: int,
    values: Mapping[str, Any],
) -> TrainingSettings:
    """Return a method's settings: defaults, preset, variant, then ``values``.

    Parameters
    ----------
    key : str
        The method.
    preset_name : str
        A size of PRESETS, or a variant.
    variant : str, optional
        Row of the paper's tables, whose settings win over those of the preset.
    ndim : int
        2 or 3.
    values : mapping
        Settings that win over both.

    Raises
    ------
    SettingsError
        If a name or a value is not allowed.
    """
    named = named_settings(key, preset_name, variant, ndim=ndim)
    return settings_model(key).checked({**named, **values})


def network_settings(key: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings of a method that its weights depend on."""
    model = settings_model(key)
    decisive = {about.name for about in describe(model) if about.network}
    return {name: value for name, value in settings.items() if name in decisive}


def load_method(key: str) -> Any:
    """Import a method and return its class; this imports torch."""
    entry(key)
    return _module(key, "method").METHOD


def _known_names(key: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return presets and variants by name, of which ``name`` must be one."""
    entry(key)
    module = _module(key, "settings")
    known: Mapping[str, Mapping[str, Any]] = {**module.PRESETS, **module.VARIANTS}
    if name not in known:
        raise SettingsError(
            f"Method '{key}' has no preset '{name}'. Choose one of: {', '.join(known)}."
        )
    return known


def _of_other_dimensions(key: str, ndim: int) -> frozenset[str]:
    """Return the variants that are not for images of ``ndim`` dimensions."""
    kind = "VOLUME_VARIANTS" if ndim == 2 else "PLANE_VARIANTS"
    names: frozenset[str] = getattr(_module(key, "settings"), kind, frozenset())
    return names


def _module(key: str, name: str) -> Any:
    return import_module(f"napari_mtseg.methods.{key}.{name}")
