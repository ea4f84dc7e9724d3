"""`mtseg predict`: segment the images of a project, or any images with a model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_mtseg.cli import predict_options as options
from napari_mtseg.cli.output import say
from napari_mtseg.cli.predict_files import (
    Asked,
    BatchRequest,
    model_source,
    predicting,
    run_source,
)
from napari_mtseg.domain.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from napari_mtseg.workflows.image_outcome import ImageOutcome
    from napari_mtseg.workflows.task_runner import ModelSource

EXIT_SOME_FAILED = 1

EXIT_INTERRUPTED = 130
"""exit code after Ctrl-C, as shells have it"""


def run_predict(  # noqa: PLR0913 - one argument per option
    target: options.Target,
    inputs: options.Inputs = None,
    out: options.Out = None,
    run: options.Run = None,
    split: options.Split = None,
    image: options.OneImage = None,
    maps: options.Maps = None,
    also: options.Also = None,
    overview: options.Overview = None,
    channels: options.Channels = None,
    axes: options.Axes = None,
    recursive: options.Recursive = None,
    again: options.Again = None,
    blocks: options.Blocks = None,
    n_workers: options.NWorkers = None,
    scheduler: options.Scheduler = None,
    device: options.Device = "auto",
    memory: options.Memory = None,
    uncertainty: options.Uncertainty = "one-pass",
    passes: options.Passes = None,
    seed: options.Seed = None,
    others: options.Others = None,
    as_json: options.AsJson = False,
) -> None:
    """Segment the images of a project, or any images with a project or a model.

    A bad image does not stop the others; it is listed at the end, and the exit code
    is 1. Images that are done already are passed over, so a prediction that was
    stopped or killed goes on with the same command.

    Example: `mtseg predict cells.mtseg --split test`

    Example: `mtseg predict cells.mtseg --uncertainty dropout --passes 20`

    Example: `mtseg predict nuclei-model images/ more/a.tif --out results`

    Example: `mtseg predict cells.mtseg 'plate/*.tif' --out results --workers 4`
    """
    asked = Asked(device, memory, uncertainty, passes, seed, others or ())
    of_images: dict[str, Any] = {
        "maps": maps,
        "also": also,
        "overview": overview,
        "channels": channels,
        "axes": axes,
        "recursive": recursive,
        "again": again,
        "blocks": blocks,
        "n_workers": n_workers,
        "scheduler": scheduler,
    }
    if _is_project(target) and not inputs:
        options.refuse(
            {"--out": out, **{_option(name): v for name, v in of_images.items()}},
            f"'{target}' is a project, whose own images are predicted where no others "
            "are named",
        )
        options.refuse(
            {"--split": split} if image else {}, "--image names the one image"
        )
        images = _images_of(target, run, (split or "all", image), asked)
        all_done = _tell(*images, as_json=as_json)
    else:
        own = {"--split": split, "--image": image}
        source = _source_of_images(target, run, own, asked)
        if not inputs or out is None:
            what = "Images need" if _is_project(target) else "A model needs images and"
            raise SettingsError(
                f"{what} a folder for the results, for example: mtseg predict {target} "
                "IMAGES --out results."
            )
        request = BatchRequest(inputs=inputs, out=out, **of_images)
        with _stoppable(out), predicting(source, request) as (happened, n):
            all_done = _tell(happened, n, out, as_json=as_json)
    if not all_done:
        raise typer.Exit(EXIT_SOME_FAILED)


def _tell(
    happened: "Iterator[ImageOutcome]", n: int, place: Path, *, as_json: bool
) -> bool:
    """Tell how it goes, and return True if no image failed."""
    # It imports numpy, which the help page has no need to wait for.
    from napari_mtseg.cli.prediction_report import report, shown

    outcomes = list(happened) if as_json else shown(happened, n)
    return report(outcomes, place, as_json=as_json)


@contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    """Turn Ctrl-C into a sentence on how to go on, and its exit code."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"stopped; what is done is in {out}, and the same command does the rest")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _images_of(
    path: Path, run: str | None, wanted: tuple[str, str | None], asked: Asked
) -> "tuple[Iterator[ImageOutcome], int, Path]":
    """Return how the images of a project go, how many they are, and where they go."""
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows import predict_images as many

    project = Project.open(path)
    split, image = wanted
    images = (
        many.images_of_split(project, split)
        if image is None
        else (project.image(image),)
    )
    model = many.model_of_project(
        project,
        run,
        device=asked.device,
        memory=asked.memory,
        uncertainty=asked.source(project.path),
    )
    name = model.info.provenance.run
    if run is None:
        say(f"predicting with the newest run, {name}")
    place = project.path / "predictions" / name
    return many.predict_project(project, model, images=images), len(images), place


def _source_of_images(
    target: Path, run: str | None, own: Mapping[str, object], asked: Asked
) -> "ModelSource":
    """Return the model that predicts images of any place."""
    if _is_project(target):
        options.refuse(
            own, "The images that are named are predicted, not the project's"
        )
        return run_source(target, run, asked)
    if not target.exists():
        raise ModelError(f"There is no project or model '{target}'. Check the path.")
    options.refuse(
        {"--run": run, **own},
        f"'{target}' is not a project, and a model has no runs or split",
    )
    return model_source(target, asked)


def _is_project(path: Path) -> bool:
    folders = [path]
    if path.name:
        folders.append(path.with_name(f"{path.name}.mtseg"))
    return any((folder / "project.json").exists() for folder in folders)


def _option(name: str) -> str:
    return {"n_workers": "--workers"}.get(name, f"--{name}")
