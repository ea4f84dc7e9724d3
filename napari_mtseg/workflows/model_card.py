"""The card of a model: what it is, for people, as Markdown."""

import math
from collections.abc import Collection

import torch

from napari_mtseg.methods.catalog import entry
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.export_credits import (
    NOTHING_SAID,
    Credits,
    credit_facts,
)
from napari_mtseg.workflows.export_formats import Format
from napari_mtseg.workflows.export_usage import usage_in_words
from napari_mtseg.workflows.trained_model import trained_method


def model_card(
    info: ModelInfo,
    *,
    kind: Format = "folder",
    file: str | None = None,
    said: Credits = NOTHING_SAID,
) -> str:
    """Return the model's description for people, as Markdown.

    Parameters
    ----------
    info : ModelInfo
        What is known of it.
    kind : {'folder', 'zip', 'bioimageio', 'onnx', 'torch'}
        The format in which it is taken away, which says how it is used.
    file : str, optional
        Name of its file or folder; by default that of the model, with the suffix of
        the format.
    said : Credits
        Who made it, and what others may do with it.
    """
    facts, method = info.provenance, entry(info.method)
    with torch.device("meta"):
        network = ExportedNetwork(trained_method(info).network())
    tells = network.windowed.image_heads
    names = ", ".join(c.name for c in info.classes)
    sections = {
        "What it segments": (
            f"{names}, in {_kind_of_images(info)}.{_whole_image(info, tells)}"
        ),
        "How it was trained": (
            f"Method: {method.title}, `{info.method}`. {method.summary} "
            f"Source: {method.source}.\n\n"
            f"{_trained_on(info)} Weights after {facts.step:,} "
            f"step{'s' * (facts.step != 1)}, seed {facts.seed}, run `{facts.run}`, "
            f"begun {facts.created}.{_began_from(info)}"
        ),
        **_notes(info),
        "How good it is": _measured(info),
        "Intended use": (
            "Images like those it was trained on: same stain or modality, same kind of "
            f"specimen, {_scale(info)}. For research; it is not a medical device."
        ),
        "Limits": (
            "On other kinds of images it may fail without saying so. Look at some of "
            "its results before you rely on them, and measure it on images that took "
            "no part in the training: `mtseg evaluate`."
        ),
        "How to use it": usage_in_words(kind, info, network, file=file),
        **_credits(said),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    versions = ", ".join(f"{name} {value}" for name, value in facts.versions.items())
    return f"# {info.name}\n\n{body}\n\nMade with {versions}.\n"


def _whole_image(info: ModelInfo, tells: Collection[str]) -> str:
    """Return what a model tells of an image as a whole, as a sentence or nothing."""
    parts = []
    if "classes" in tells:
        parts.append("which of these classes occur in it")
    if "scenes" in tells:
        parts.append(f"its scene, one of {', '.join(info.scenes)}")
    return f" Of an image as a whole it tells {' and '.join(parts)}." if parts else ""


def _kind_of_images(info: ModelInfo) -> str:
    kind = "2D images" if info.axes == "CYX" else "3D images"
    channels = f"{info.n_channels} channel{'s' * (info.n_channels > 1)}"
    read = "" if info.colour == "as_is" else f", read as {info.colour}"
    return f"{kind} with {channels}{read}"


def _scale(info: ModelInfo) -> str:
    if info.unit == "pixel":
        return "objects of similar size in pixels"
    size = " x ".join(f"{s:g}" for s in info.spacing)
    return f"a voxel size near {size} {info.unit}"


def _trained_on(info: ModelInfo) -> str:
    facts = info.provenance
    kinds = (
        (facts.n_full, "full masks"),
        (facts.n_partial, "partial masks"),
        (facts.n_scribbled, "scribbles"),
    )
    parts = [f"{kind} on {n}" for n, kind in kinds if n]
    paint = f"{images_in_words(facts.n_images)}: {', '.join(parts) or 'no paint'}"
    n = facts.n_tagged_only
    tags = (
        f"; {images_in_words(n)} more only by {'its' if n == 1 else 'their'} tags"
        if n
        else ""
    )
    return f"Trained on {paint}{tags}."


def _began_from(info: ModelInfo) -> str:
    """Return which model the training began with, as a sentence or nothing."""
    name = info.provenance.began_from
    if not name:
        return ""
    return f" It began with the weights of the model '{name}', whose licence holds on."


def _notes(info: ModelInfo) -> dict[str, str]:
    """Return the section on what the labels could not teach, if anything was said."""
    if not info.provenance.notes:
        return {}
    rows = "\n".join(f"- {note}" for note in info.provenance.notes)
    return {"Notes": f"Said when the training began:\n\n{rows}"}


def _credits(said: Credits) -> dict[str, str]:
    """Return the section on who made the model, if anything was said."""
    titles = {
        "author": "Made by",
        "license": "Licence of the weights",
        "description": "For",
        "cite": "To cite",
    }
    facts = credit_facts(said)
    rows = "\n".join(f"- {titles[name]}: {text}" for name, text in facts.items())
    return {"Credits": rows} if facts else {}


def _measured(info: ModelInfo) -> str:
    facts = info.provenance
    if not facts.metrics:
        return "Not measured."
    rows = "\n".join(
        f"| {_metric_name(name, info)} | {value:.3f} |"
        for name, value in facts.metrics.items()
        if math.isfinite(value)
    )
    return f"Measured on {facts.measured_on}.\n\n| metric | value |\n|---|---|\n{rows}"


def _metric_name(name: str, info: ModelInfo) -> str:
    """Return a metric's name with the class's name for its number."""
    if name == "score":
        return "Dice, mean over classes"
    for number, found in enumerate(info.classes, start=1):
        if name == f"dice class {number}":
            return f"Dice of {found.name}"
    return name


def images_in_words(n: int) -> str:
    """Return a number of images for a sentence, such as '1 image'."""
    return f"{n} image{'s' * (n != 1)}"
