"""`mtseg predict` with images: any files, here or by several workers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_mtseg.cli.output import say
from napari_mtseg.cli.predict_options import names_in, numbers_in, one_of, refuse
from napari_mtseg.cli.progress import NowAndThen
from napari_mtseg.domain.errors import SettingsError

if TYPE_CHECKING:
    from napari_mtseg.workflows.batch import Workers
    from napari_mtseg.workflows.batch_file import BatchChoices
    from napari_mtseg.workflows.image_outcome import ImageOutcome
    from napari_mtseg.workflows.predict import Model
    from napari_mtseg.workflows.task_runner import ModelSource
    from napari_mtseg.workflows.uncertainty_source import UncertaintySource

BLOCKS = ("auto", "always", "never")


class Asked(NamedTuple):
    """How a model is to be loaded."""

    device: str
    memory: float | None
    uncertainty: str
    passes: int | None
    seed: int | None
    others: Sequence[str]

    def source(self, project: Path | None = None) -> "UncertaintySource":
        """Return what the uncertainty is computed from; names are runs of a project."""
        from napari_mtseg.workflows.ensemble import member_called
        from napari_mtseg.workflows.uncertainty_source import (
            DEFAULT_PASSES,
            UncertaintySource,
        )

        if self.uncertainty in {"one-pass", "ensemble"}:
            refuse(
                {"--passes": self.passes, "--seed": self.seed},
                "Only --uncertainty dropout draws at random; add it if it is meant",
            )
        return UncertaintySource(
            self.uncertainty,  # type: ignore[arg-type] # it refuses what it is not
            passes=DEFAULT_PASSES if self.passes is None else self.passes,
            seed=self.seed or 0,
            members=tuple(member_called(name, project) for name in self.others),
        )


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """What is asked of a batch, in the words of the command line."""

    inputs: list[Path]
    """files, folders and patterns"""
    out: Path
    """folder of the results"""
    maps: str | None = None
    also: str | None = None
    overview: bool | None = None
    channels: str | None = None
    axes: str | None = None
    recursive: bool | None = None
    again: bool | None = None
    blocks: str | None = None
    n_workers: int | None = None
    scheduler: str | None = None

    def choices(self) -> "BatchChoices":
        """Return what is wanted of each image.

        Raises
        ------
        SettingsError
            If a word is not understood.
        """
        from napari_mtseg.workflows.batch_file import BatchChoices
        from napari_mtseg.workflows.map_choice import DEFAULT_MAPS

        return BatchChoices(
            maps=DEFAULT_MAPS if self.maps is None else names_in(self.maps),
            also=names_in(self.also or ""),
            overview=self.overview is not False,
            channels=numbers_in("--channels", self.channels) if self.channels else None,
            axes=self.axes,
            blocks=one_of("--blocks", self.blocks or "auto", BLOCKS),  # type: ignore[arg-type] # just checked
            again=bool(self.again),
        )


def model_source(path: Path, asked: Asked) -> "ModelSource":
    """Return the model in a folder or zip, as asked."""
    from napari_mtseg.workflows.task_runner import ModelSource

    return ModelSource(
        path=path,
        device=asked.device,
        memory=asked.memory,
        uncertainty=asked.source(),
    )


def run_source(project: Path, run: str | None, asked: Asked) -> "ModelSource":
    """Return the best weights of a run of a project, as asked; tell which is newest.

    Raises
    ------
    ProjectError
        If there is no such project.
    RunError
        If it has no such run.
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import find_run
    from napari_mtseg.workflows.task_runner import ModelSource

    place = Project.open(project).path
    found = find_run(place, run)
    if run is None:
        say(f"predicting with the newest run, {found.path.name}")
    return ModelSource(
        path=found.path,
        is_run=True,
        device=asked.device,
        memory=asked.memory,
        uncertainty=asked.source(place),
    )


@contextmanager
def predicting(
    source: "ModelSource", request: BatchRequest
) -> "Iterator[tuple[Iterator[ImageOutcome], int]]":
    """Give how each image goes, while the workers live, and how many images there are.

    Raises
    ------
    MtsegError
        If what is asked for cannot be.
    """
    from napari_mtseg.workflows.batch import predict_files
    from napari_mtseg.workflows.prediction_paths import input_files

    choices = request.choices()
    files = input_files(
        request.inputs, recursive=bool(request.recursive), out=request.out
    )
    elsewhere = request.n_workers is not None or request.scheduler is not None
    model = (replace(source, device="cpu") if elsewhere else source).load()
    _tell_notes(model, choices.maps)
    pace = NowAndThen()
    with _workers(source, request) as workers:
        yield (
            predict_files(
                model,
                files,
                request.out,
                choices=choices,
                workers=workers,
                progress=lambda name, share: pace.say(
                    f"{name}: {100 * share:.0f} % of its blocks"
                ),
            ),
            len(files),
        )


@contextmanager
def _workers(
    source: "ModelSource", request: BatchRequest
) -> "Iterator[Workers | None]":
    if request.n_workers is None and request.scheduler is None:
        yield None
        return
    if request.n_workers is not None and request.scheduler is not None:
        raise SettingsError(
            "--workers starts processes here, --scheduler uses those of a cluster. "
            "Leave out one of them."
        )
    from napari_mtseg.workflows.batch import Workers
    from napari_mtseg.workflows.cluster import open_cluster

    with open_cluster(
        scheduler=request.scheduler,
        n_workers=request.n_workers or 1,
        device=source.device,
    ) as runner:
        yield Workers(runner=runner, source=source)


def _tell_notes(model: "Model", maps: Sequence[str]) -> None:
    """Tell what was said when the model was trained of a map that is asked for."""
    from napari_mtseg.workflows.trained_model import trained_method

    if not set(maps).isdisjoint(trained_method(model.info).own_maps):
        for note in model.info.provenance.notes:
            say(f"note: when this model was trained: {note}")
