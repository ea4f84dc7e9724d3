"""`mtseg predict`: segment the images of a project, or any images with a model."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.progress import progress_bar
from napari_mtseg.domain.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from napari_mtseg.storage.result_files import WholeImage
    from napari_mtseg.workflows.predict_images import ImageOutcome

EXIT_SOME_FAILED = 1


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
            "distance, uncertainty, and the maps of its method, which are listed if "
            "a name is unknown.  [default: instances,classes,contours]",
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")
    ] = False,
) -> None:
    """Segment the images of a project, or any images with an exported model.

    A bad image does not stop the others; it is listed at the end, and the exit code
    is 1.

    Example: `mtseg predict cells.mtseg --split test`

    Example: `mtseg predict nuclei-model images/ more/a.tif --out results`
    """
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
        happened, n, place = _in_project(target, run, images, device, memory)
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
        model = target, device, memory
        happened, n = _with_model(model, inputs, out, maps, channels, axes)
        place = out
    outcomes = list(happened) if as_json else _shown(happened, n)
    _report(outcomes, place, as_json=as_json)


def _in_project(
    path: Path,
    run: str | None,
    wanted: tuple[str, str | None],
    device: str,
    memory: float | None,
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
    model = many.model_of_project(project, run, device=device, memory=memory)
    name = model.info.provenance.run
    if run is None:
        say(f"predicting with the newest run, {name}")
    place = project.path / "predictions" / name
    return many.predict_project(project, model, images=images), len(images), place


def _with_model(
    target: tuple[Path, str, float | None],
    inputs: list[Path],
    out: Path,
    maps: str | None,
    channels: str | None,
    axes: str | None,
) -> "tuple[Iterator[ImageOutcome], int]":
    from napari_mtseg.workflows import predict_images as many
    from napari_mtseg.workflows.predict import load_model

    path, device, memory = target
    files = many.input_files(inputs)
    model = load_model(path, device=device, memory=memory)
    named = many.DEFAULT_MAPS if maps is None else _names(maps)
    wanted = many.checked_maps(named, model)
    if not set(wanted) <= set(many.MAPS):
        for note in model.info.provenance.notes:
            say(f"note: when this model was trained: {note}")
    happened = many.predict_files(
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
    wrong = [name for name, value in given.items() if value]
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


def _shown(happened: "Iterator[ImageOutcome]", n: int) -> "list[ImageOutcome]":
    outcomes = []
    with progress_bar("predicting") as show:
        show(0, n)
        for outcome in happened:
            outcomes.append(outcome)
            show(len(outcomes), n)
            if outcome.whole.is_told:
                say(f"{outcome.name}: {_in_words(outcome.whole)}")
            for notice in outcome.notices:
                say(f"note: {outcome.name}: {notice}")
    return outcomes


def _in_words(whole: "WholeImage") -> str:
    parts = []
    if whole.scene is not None:
        parts.append(f"scene {whole.scene} {100 * whole.scenes[whole.scene]:.0f} %")
    if whole.present:
        amount = "some" if whole.disagreeing else "none"
        if math.isfinite(whole.disagreement):
            amount = f"{whole.disagreement:.2f}"
        about = f" about {', '.join(whole.disagreeing)}" if whole.disagreeing else ""
        parts.append(f"disagreement {amount}{about}")
    return "; ".join(parts)


def _as_json(outcome: "ImageOutcome") -> dict[str, object]:
    whole = outcome.whole
    is_known = math.isfinite(whole.disagreement)
    return {
        "image": outcome.name,
        "objects": outcome.n_objects,
        "scene": whole.scene,
        "scenes": whole.scenes,
        "present": whole.present,
        "disagreeing": list(whole.disagreeing),
        "disagreement": whole.disagreement if is_known else None,
        "files": [str(file) for file in outcome.files],
        "seconds": round(outcome.seconds, 3),
        "notices": list(outcome.notices),
    }


def _report(outcomes: "list[ImageOutcome]", place: Path, *, as_json: bool) -> None:
    failed = [o for o in outcomes if o.error is not None]
    done = [o for o in outcomes if o.error is None]
    if as_json:
        print_json(
            {
                "out": str(place),
                "predicted": [_as_json(o) for o in done],
                "failed": [{"image": o.name, "error": o.error} for o in failed],
            }
        )
    else:
        say(_summary(done, failed, place))
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _summary(
    done: "list[ImageOutcome]", failed: "list[ImageOutcome]", place: Path
) -> str:
    count: dict[str, int] = {}
    for outcome in done:
        for name, n in outcome.n_objects.items():
            count[name] = count.get(name, 0) + n
    objects = ", ".join(f"{n:,} {name}" for name, n in count.items())
    plural = "" if len(done) == 1 else "s"
    lines = [f"{len(done)} image{plural} predicted: {objects}; see {place}"]
    if not done:
        lines = ["no image was predicted"]
    doubtful = sum(bool(o.whole.disagreeing) for o in done)
    if doubtful:
        lines.append(
            f"in {doubtful} of them, segmentation and class prediction disagree on "
            "what occurs: look at these first"
        )
    if failed:
        lines.append(f"{len(failed)} failed:")
        lines.extend(f"  {outcome.error}" for outcome in failed)
    return "\n".join(lines)
