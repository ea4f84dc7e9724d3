"""What a program without napari-mtseg must know of a model, in words."""

import json

from napari_mtseg.batches.normalisation import HIGH, LOW
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.trained_model import trained_method

_COLOURS = {
    "as_is": "channels as in the image file",
    "grey": "one channel; of an RGB image its luminance",
    "rgb": "red, green and blue; of a grey image three times the same",
}

_NORMALISATIONS = {
    "percentile": f"of each channel of the whole image, percentile {LOW:g} becomes -1 "
    f"and percentile {HIGH:g} becomes 1, linearly and without clipping",
    "zscore": "of each channel of the whole image, the mean becomes 0 and the standard "
    "deviation 1",
    "none": "intensities as they are",
}

_OF_CLASSES = ("segmentation", "approximation", "classes")
"""heads that answer for the background and each class"""


def normalisation_of_model(info: ModelInfo) -> str:
    """Return the kind: 'percentile', 'zscore' or 'none'."""
    return trained_method(info).settings.normalisation


def normalisation_in_words(info: ModelInfo) -> str:
    """Return what is to be done with the intensities before the network sees them."""
    return f"float32; {_NORMALISATIONS[normalisation_of_model(info)]}"


def axes_in_words(info: ModelInfo) -> str:
    """Return the order of the input's axes, with the channels' meaning."""
    return f"axes N{info.axes}, {_COLOURS[info.colour]}"


def sizes_in_words(network: ExportedNetwork) -> str:
    """Return which image sizes a traced network takes.

    Such as 'a multiple of 8 along y and x, at least 16'.
    """
    names = "zyx"[-len(network.size_multiple) :]
    rows = zip(names, network.size_multiple, network.least_size, strict=True)
    by_rule: dict[tuple[int, int], list[str]] = {}
    for name, multiple, least in rows:
        by_rule.setdefault((multiple, least), []).append(name)
    return "; ".join(
        f"a multiple of {multiple} along {_listed(axes)}, at least {least}"
        if multiple > 1
        else f"any size from {least} along {_listed(axes)}"
        for (multiple, least), axes in by_rule.items()
    )


def channel_names(info: ModelInfo, head: str, n_channels: int) -> list[str]:
    """Return a name for each channel of a head's answer.

    The classes where there is one channel per class, with 'background' where there is
    one more, the scenes of the head 'scenes', else numbers.
    """
    classes = [c.name for c in info.classes]
    if head == "scenes" and n_channels == len(info.scenes):
        return list(info.scenes)
    if head in _OF_CLASSES and n_channels == len(classes) + 1:
        return ["background", *classes]
    if head == "distance" and n_channels == len(classes):
        return classes
    if n_channels == 1:
        return [head]
    if n_channels == 2:
        return [f"not {head}", head]
    return [f"{head} {n}" for n in range(n_channels)]


def facts_for_programs(info: ModelInfo, network: ExportedNetwork) -> dict[str, str]:
    """Return what a program must know to use the model, text by name."""
    kinds = network.windowed.activations
    outputs = {
        head: {
            "channels": channel_names(info, head, n),
            "activation": kinds.get(head, "softmax"),
            "of": "image" if head in network.windowed.image_heads else "pixel",
        }
        for head, n in network.heads.items()
    }
    return {
        "name": info.name,
        "method": info.method,
        "classes": json.dumps([c.name for c in info.classes], ensure_ascii=False),
        "heads": json.dumps(outputs, ensure_ascii=False),
        "normalisation": normalisation_in_words(info),
        "axes": axes_in_words(info),
        "sizes": sizes_in_words(network),
        "spacing": json.dumps(list(info.spacing)),
        "unit": info.unit,
    }


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
