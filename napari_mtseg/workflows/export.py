"""A run's best weights as a model folder that works without the project."""

import math
from collections.abc import Collection
from pathlib import Path

import torch

from napari_mtseg.methods.catalog import entry
from napari_mtseg.storage.model_folder import check_is_free, is_zip_name, save_model
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, find_run
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.targets.paint_summary import summarise
from napari_mtseg.workflows.runs import method_of
from napari_mtseg.workflows.trained_model import model_of_run, trained_method
from napari_mtseg.workflows.validation import Validation


def export_model(
    project: Project, run_name: str | None, out: Path, *, as_zip: bool = False
) -> Path:
    """Write the best weights of a run as a model.

    Parameters
    ----------
    project : Project
        The project that the run belongs to.
    run_name : str or None
        The run; None for the newest.
    out : Path
        Folder or zip to write; must not exist yet.
    as_zip : bool
        True adds '.zip' to ``out`` where it is missing.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    RunError
        If there is no such run, or it has no weights yet.
    ModelError
        If ``out`` exists.
    StorageError
        If the disk is full or ``out`` cannot be written.
    """
    if not out.name:
        out = out.resolve()
    if as_zip and not is_zip_name(out):
        out = out.with_name(f"{out.name}.zip")
    check_is_free(out)
    run = find_run(project.path, run_name)
    found, tensors = model_of_run(project, run)
    name = out.stem if is_zip_name(out) else out.resolve().name
    info = with_training_facts(found.changed({"name": name}), project, run)
    card = model_card(info, tells=_told_of_whole_images(info))
    save_model(out, info, tensors, card=card)
    return out


def with_training_facts(info: ModelInfo, project: Project, run: RunFolder) -> ModelInfo:
    """Add what the model was trained and measured on to its provenance."""
    snapshot = load_snapshot(project, run.snapshot_file)
    train = [(e, snapshot.annotation(e)) for e in snapshot.images if e.split == "train"]
    method = method_of(run.info, snapshot, project)
    tagged = [(e, a) for e, a in train if a.is_empty and method.uses(a)]
    painted = [(e, a) for e, a in train if not a.is_empty]
    spacing = snapshot.images[0].spacing
    paint = summarise([annotation for _, annotation in train], spacing=spacing)
    provenance = info.provenance.changed(
        {
            "trained_on": tuple(e.fingerprint for e, _ in (*painted, *tagged)),
            "n_images": paint.n_images,
            "n_full": paint.n_full,
            "n_partial": paint.n_partial,
            "n_scribbled": paint.n_scribbled,
            "n_tagged_only": summarise([a for _, a in tagged]).n_tagged_only,
            "notes": method.readiness(paint).notices,
        }
    )
    if provenance.metrics:
        held_out = Validation(project, snapshot, method).images
        exact = any(annotation.has_full for _, annotation in held_out)
        kind = "full masks" if exact else "the pixels that are painted"
        images = _images(len(held_out))
        where = f"{kind} of {images} held out for validation, which chose these weights"
        provenance = provenance.changed({"measured_on": where})
    return info.changed({"provenance": provenance})


def model_card(info: ModelInfo, *, tells: Collection[str] = ()) -> str:
    """Return the model's description for people, as Markdown.

    Parameters
    ----------
    info : ModelInfo
        What is known of it.
    tells : collection of {'classes', 'scenes'}
        What it tells of an image as a whole.
    """
    facts, method = info.provenance, entry(info.method)
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
            f"begun {facts.created}."
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
        "How to use it": _usage(info, has_answers=bool(tells)),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    versions = ", ".join(f"{name} {value}" for name, value in facts.versions.items())
    return f"# {info.name}\n\n{body}\n\nMade with {versions}.\n"


def _told_of_whole_images(info: ModelInfo) -> Collection[str]:
    """Return which of 'classes' and 'scenes' a model tells of an image as a whole."""
    with torch.device("meta"):
        network = trained_method(info).network()
    heads: Collection[str] = getattr(network, "image_heads", ())
    return frozenset(heads)


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
    paint = f"{_images(facts.n_images)}: {', '.join(parts) or 'no paint'}"
    n = facts.n_tagged_only
    tags = (
        f"; {_images(n)} more only by {'its' if n == 1 else 'their'} tags" if n else ""
    )
    return f"Trained on {paint}{tags}."


def _notes(info: ModelInfo) -> dict[str, str]:
    """Return the section on what the labels could not teach, if anything was said."""
    if not info.provenance.notes:
        return {}
    rows = "\n".join(f"- {note}" for note in info.provenance.notes)
    return {"Notes": f"Said when the training began:\n\n{rows}"}


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


def _usage(info: ModelInfo, *, has_answers: bool) -> str:
    name = info.name
    answers = (
        "What it tells of each image as a whole is a row of `image_answers.csv`, which "
        "is written with the results.\n\n"
    )
    return (
        f"```\nmtseg predict {name} IMAGES --out results\n```\n\n"
        f"{answers if has_answers else ''}"
        "or from Python, on a NumPy array:\n\n"
        "```python\n"
        "from napari_mtseg import load_model\n\n"
        f'model = load_model("{name}")\n'
        "prediction = model.predict(pixels)\n"
        "prediction.instances, prediction.classes, prediction.probabilities\n"
        "```\n\n"
        "The weights are safetensors: loading them never runs code."
    )


def _images(n: int) -> str:
    return f"{n} image{'s' * (n != 1)}"
