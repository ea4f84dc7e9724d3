"""Which images a run's predictions are scored on."""

from collections.abc import Collection, Sequence
from typing import get_args

from napari_mtseg.domain.errors import ProjectError, RunError
from napari_mtseg.domain.project import ImageEntry, Split
from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.score_checks import HELD_OUT
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.workflows.annotated_places import is_painted

_ALL = "all"


def images_to_score(project: Project, split: str) -> list[ImageEntry]:
    """Return the images of a split, of 'held-out' (validate and test), or of 'all'.

    Raises
    ------
    ProjectError
        If there is no such split, or it has no image.
    """
    project.n_channels()
    if split not in {*get_args(Split), HELD_OUT, _ALL}:
        raise ProjectError(
            f"There is no split '{split}'. Choose train, validate, test, {HELD_OUT} "
            "(validate and test) or all."
        )
    if split == HELD_OUT:
        entries = [e for e in project.images if e.split != "train"]
    else:
        entries = [e for e in project.images if split in {e.split, _ALL}]
    if not entries:
        raise ProjectError(
            f"The project '{project.info.name}' has no images of split '{split}'. "
            "Choose another with --split, or set the split with 'mtseg project split'."
        )
    return entries


def check_predicted(project: Project, run: str, entries: Sequence[ImageEntry]) -> None:
    """Refuse images that a run has not predicted.

    Raises
    ------
    RunError
        Names the first of them, and the command that predicts them.
    """
    folder = project.path / "predictions" / run
    missing = [e for e in entries if not has_prediction(folder / e.id)]
    if missing:
        splits = {entry.split for entry in missing}
        split = splits.pop() if len(splits) == 1 else _ALL
        raise RunError(
            f"Run '{run}' has not predicted '{missing[0].name}' ({len(missing)} of "
            f"{len(entries)} images are missing). First run 'mtseg predict "
            f"{project.path.name} --run {run} --split {split}'."
        )


def trained_images(
    project: Project, run: RunFolder, ids: Collection[str]
) -> frozenset[str]:
    """Return those of ``ids`` whose paint a run, or one it started from, learned.

    They are painted images of the split 'train' when it began, whatever they are used
    for now. A run without a snapshot is not known to have learned any.

    Raises
    ------
    ProjectError
        If a snapshot is damaged.
    """
    learned: set[str] = set()
    seen: set[str] = set()
    while run.path.name not in seen and run.snapshot_file.exists():
        seen.add(run.path.name)
        snapshot = load_snapshot(project, run.snapshot_file)
        learned.update(
            entry.id
            for entry in snapshot.images
            if entry.id in ids
            and entry.split == "train"
            and is_painted(snapshot, entry)
        )
        run = RunFolder(run.path.with_name(run.info.parent or run.path.name))
    return frozenset(learned)
