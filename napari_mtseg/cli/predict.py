"""`mtseg predict`: segment the images of a project, or any images with a model."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from napari_mtseg.cli.output import say
from napari_mtseg.cli.prediction_report import report, shown
from napari_mtseg.domain.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from napari_mtseg.workflows.predict_images import ImageOutcome
    from napari_mtseg.workflows.uncertainty_source import UncertaintySource

EXIT_SOME_FAILED = 1


class _Asked(NamedTuple):
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
            _refuse(
                {"--passes": self.passes, "--seed": self.seed},
                "Only --uncertainty dropout draws at random; add it if it is meant",
            )
        return UncertaintySource(
            self.uncertainty,  # type: ignore[arg-type] # it refuses what it is not
            passes=DEFAULT_PASSES if self.passes is None else self.passes,
            seed=self.seed or 0,
            members=tuple(member_called(name, project) for name in self.others),
        )


def run_predict(  # noqa: PLR0913 - one argument per option
    target: Annotated[
        Path, typer.Argument(help="Project folder, or model folder or zip.")
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGES", help="With a model: files and folders."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With a model: folder for the results.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="With a project: the run; the newest by default."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="With a project: all (default), train, validate or test."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(help="With a project: one image, by its name or id."),
    ] = None,
    maps: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="With a model: of classes, instances, probabilities, contours, "
            "distance, uncertainty; of several answers also expected_entropy, "
            "mutual_information, variance; and the maps of its method, which are "
            "listed if a name is unknown.  [default: instances,classes,contours]",
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(metavar="N,N", help="With a model: channels to use, from 0."),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(help="With a model: axes, such as ZYX, if files do not say."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    memory: Annotated[
        float | None,
        typer.Option(
            metavar="GIB",
            min=0.001,
            help="Memory for the network; as it was trained by default.",
        ),
    ] = None,
    uncertainty: Annotated[
        str,
        typer.Option(
            metavar="SOURCE",
            help="What uncertainty is computed from: one-pass, dropout (Monte Carlo, "
            "for what was trained with dropout), or ensemble (the kept checkpoints of "
            "a run, or --with). The result is the mean of all answers.",
        ),
    ] = "one-pass",
    passes: Annotated[
        int | None,
        typer.Option(help="With dropout: answers for each image.  [default: 20]"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="With dropout: seed of what is dropped.  [default: 0]"),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="RUN_OR_MODEL",
            help="With ensemble: a further member, a run of the project or a model; "
            "may be repeated.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")
    ] = False,
) -> None:
    """Segment the images of a project, or any images with an exported model.

    A bad image does not stop the others; it is listed at the end, and the exit code
    is 1.

    Example: `mtseg predict cells.mtseg --split test`

    Example: `mtseg predict cells.mtseg --uncertainty dropout --passes 20`

    Example: `mtseg predict nuclei-model images/ more/a.tif --out results`
    """
    asked = _Asked(device, memory, uncertainty, passes, seed, others or ())
    of_model = {
        "IMAGES": inputs,
        "--out": out,
        "--maps": maps,
        "--channels": channels,
        "--axes": axes,
    }
    if _is_project(target):
        _refuse(of_model, f"'{target}' is a project, whose own images are predicted")
        _refuse({"--split": split} if image else {}, "--image names the one image")
        images = split or "all", image
        happened, n, place = _in_project(target, run, images, asked)
    else:
        if not target.exists():
            raise ModelError(
                f"There is no project or model '{target}'. Check the path."
            )
        choices = {"--run": run, "--split": split, "--image": image}
        _refuse(
            choices, f"'{target}' is not a project, and a model has no runs or split"
        )
        if not inputs or out is None:
            raise SettingsError(
                "A model needs images and a folder for the results, for example: "
                f"mtseg predict {target} IMAGES --out results."
            )
        model = target, asked
        happened, n = _with_model(model, inputs, out, maps, channels, axes)
        place = out
    outcomes = list(happened) if as_json else shown(happened, n)
    if not report(outcomes, place, as_json=as_json):
        raise typer.Exit(EXIT_SOME_FAILED)


def _in_project(
    path: Path,
    run: str | None,
    wanted: tuple[str, str | None],
    asked: _Asked,
) -> "tuple[Iterator[ImageOutcome], int, Path]":
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


def _with_model(
    target: tuple[Path, _Asked],
    inputs: list[Path],
    out: Path,
    maps: str | None,
    channels: str | None,
    axes: str | None,
) -> "tuple[Iterator[ImageOutcome], int]":
    from napari_mtseg.workflows.map_choice import DEFAULT_MAPS, checked_maps
    from napari_mtseg.workflows.predict import load_model
    from napari_mtseg.workflows.predict_images import predict_files
    from napari_mtseg.workflows.prediction_paths import input_files
    from napari_mtseg.workflows.trained_model import trained_method

    path, asked = target
    files = input_files(inputs)
    model = load_model(
        path, device=asked.device, memory=asked.memory, uncertainty=asked.source()
    )
    wanted = checked_maps(DEFAULT_MAPS if maps is None else _names(maps), model)
    if not set(wanted).isdisjoint(trained_method(model.info).own_maps):
        for note in model.info.provenance.notes:
            say(f"note: when this model was trained: {note}")
    happened = predict_files(
        model,
        files,
        out,
        maps=wanted,
        channels=None if channels is None else _numbers(channels),
        axes=axes,
    )
    return happened, len(files)


def _is_project(path: Path) -> bool:
    folders = [path]
    if path.name:
        folders.append(path.with_name(f"{path.name}.mtseg"))
    return any((folder / "project.json").exists() for folder in folders)


def _refuse(given: Mapping[str, object], why: str) -> None:
    wrong = [n for n, value in given.items() if value is not None and value != []]
    if wrong:
        raise SettingsError(f"{why}. Leave out {' and '.join(wrong)}.")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in _names(text)]
    except ValueError:
        raise SettingsError(
            f"--channels is '{text}' but must be numbers from 0, for example 0,2."
        ) from None
