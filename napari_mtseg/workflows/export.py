"""A trained model taken away: as our own folder, or in a format of other programs."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from torch import Tensor

from napari_mtseg.storage.model_folder import check_is_free, is_zip_name, save_model
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, find_run
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.targets.paint_summary import added_up
from napari_mtseg.workflows.annotated_places import paint_on, painted_parts
from napari_mtseg.workflows.export_bioimageio import write_bioimageio
from napari_mtseg.workflows.export_bioimageio_checks import bioimageio_checks
from napari_mtseg.workflows.export_checks import Check, folder_check, refuse_failed
from napari_mtseg.workflows.export_credits import (
    NOTHING_SAID,
    Credits,
    check_credits,
)
from napari_mtseg.workflows.export_formats import (
    Format,
    check_libraries,
    format_meant,
    model_name,
    named_as,
)
from napari_mtseg.workflows.export_network import exported_network
from napari_mtseg.workflows.export_onnx import onnx_checks, write_onnx
from napari_mtseg.workflows.export_program import program_checks, write_program
from napari_mtseg.workflows.model_card import images_in_words, model_card
from napari_mtseg.workflows.runs import method_of
from napari_mtseg.workflows.trained_model import Source, facts_and_weights
from napari_mtseg.workflows.validation import Validation

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A model that was written, and what was checked of it."""

    path: Path
    """file or folder"""
    kind: Format
    """what it is"""
    info: ModelInfo
    """what is known of it"""
    checks: tuple[Check, ...]
    """all passed"""


def export_model(
    project: Project, run_name: str | None, out: Path, *, as_zip: bool = False
) -> Path:
    """Write the best weights of a run as a model folder.

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
    kind: Format = "zip" if as_zip or is_zip_name(out) else "folder"
    out = named_as(out, kind)
    check_is_free(out)
    return export_as(find_run(project.path, run_name), out, kind=kind).path


def export_as(
    source: Source,
    out: Path,
    *,
    kind: Format | None = None,
    said: Credits = NOTHING_SAID,
    say: Say = lambda _: None,
) -> Exported:
    """Write a run's best weights, or a model, in a format, and check what was written.

    The file appears under its name only when all checks have passed.

    Parameters
    ----------
    source : path or RunFolder
        A run, or the path of a model folder or zip.
    out : Path
        What to write; must not exist yet. The suffix of the format is added where it
        is missing.
    kind : {'folder', 'zip', 'bioimageio', 'onnx', 'torch'}, optional
        By the suffix of ``out`` if not given.
    said : Credits
        Authors, licence and more, for the card, and for the facts of the formats
        that have a place for them; BioImage.IO wants an author.
    say : callable
        Called with a sentence before each step that takes long.

    Returns
    -------
    Exported
        What was written, and what was checked.

    Raises
    ------
    RunError
        If the run has no weights yet.
    ModelError
        If ``out`` exists or ends like a file of no format, the model is damaged, the
        libraries of the format are not installed, what is said does not do, or a
        check failed.
    StorageError
        If the disk is full or ``out`` cannot be written.
    """
    kind = kind or format_meant(out)
    out = named_as(out, kind)
    check_is_free(out)
    if kind == "onnx":
        check_is_free(out.with_name(f"{out.name}.data"))
    check_libraries(kind)
    if kind == "bioimageio":
        check_credits(said)
    found, tensors = facts_and_weights(source)
    info = found.changed({"name": model_name(out)})
    if isinstance(source, RunFolder):
        project = Project.open(source.path.parents[1])
        info = with_training_facts(info, project, source)
    with _staged(out) as folder:
        info, checks = _write(kind, folder / out.name, (info, tensors), said, say)
        refuse_failed(out, checks)
    return Exported(path=out, kind=kind, info=info, checks=checks)


def with_training_facts(info: ModelInfo, project: Project, run: RunFolder) -> ModelInfo:
    """Add what the model was trained and measured on to its provenance."""
    snapshot = load_snapshot(project, run.snapshot_file)
    method = method_of(run.info, snapshot, project)
    spacing = snapshot.images[0].spacing
    train = [e for e in snapshot.images if e.split == "train"]
    paint_of = {e.id: paint_on(snapshot, e, spacing=spacing) for e in train}
    painted = [e for e in train if paint_of[e.id].n_images]
    tagged = [
        e
        for e in train
        if e not in painted and method.uses(painted_parts(snapshot, e)[0])
    ]
    paint = added_up(paint_of.values())
    provenance = info.provenance.changed(
        {
            "trained_on": tuple(e.fingerprint for e in (*painted, *tagged)),
            "n_images": paint.n_images,
            "n_full": paint.n_full,
            "n_partial": paint.n_partial,
            "n_scribbled": paint.n_scribbled,
            "n_tagged_only": added_up(paint_of[e.id] for e in tagged).n_tagged_only,
            "notes": method.readiness(paint).notices,
        }
    )
    if provenance.metrics:
        held_out = Validation(project, snapshot, method).images
        exact = any(annotation.has_full for _, annotation in held_out)
        kind = "full masks" if exact else "the pixels that are painted"
        images = images_in_words(len(held_out))
        where = f"{kind} of {images} held out for validation, which chose these weights"
        provenance = provenance.changed({"measured_on": where})
    return info.changed({"provenance": provenance})


def _write(
    kind: Format,
    path: Path,
    model: tuple[ModelInfo, Mapping[str, Tensor]],
    said: Credits,
    say: Say,
) -> tuple[ModelInfo, tuple[Check, ...]]:
    """Write a model; return its facts as written, and what was checked of it."""
    info, tensors = model
    card = model_card(info, kind=kind, file=path.name, said=said)
    say(f"writing {path.name}")
    if kind in {"folder", "zip"}:
        info = save_model(path, info, tensors, card=card)
        say("checking: reading it again")
        return info, (folder_check(path, tensors),)
    network = exported_network(info, tensors)
    if kind == "torch":
        write_program(path, info, network, card=card)
        say("checking with torch.export")
        return info, program_checks(path, info, network)
    if kind == "onnx":
        write_onnx(path, info, network, card=card, said=said)
        say("checking with onnxruntime")
        return info, onnx_checks(path, info, network)
    with _parts(path) as parts:
        onnx = write_bioimageio(path, parts, info, network, card=card, said=said)
        say("checking with onnxruntime")
        checks = onnx_checks(onnx, info, network)
    say("testing with bioimageio.core, which takes a while")
    return info, (*checks, *bioimageio_checks(path))


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out``; what is in it at the end gets its place."""
    with clear_write_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = out.with_name(f".{out.name}.{uuid4().hex[:12]}.tmp")
        folder.mkdir()
        try:
            yield folder
            if out.is_dir():
                out.rmdir()
            # The file itself last: where it is, all that belongs to it is too.
            for written in sorted(folder.iterdir(), key=lambda p: p.name == out.name):
                written.rename(out.parent / written.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _parts(path: Path) -> Iterator[Path]:
    """Give a folder for the parts of a package, which goes at the end."""
    folder = path.with_name("parts")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
