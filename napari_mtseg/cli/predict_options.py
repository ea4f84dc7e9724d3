"""The options of `mtseg predict`, and how the words behind them are understood."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from napari_mtseg.domain.errors import SettingsError

Target = Annotated[Path, typer.Argument(help="Project folder, or model folder or zip.")]
Inputs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="IMAGES",
        help="Image files, folders, OME-Zarr and DICOM folders, and patterns such as "
        "'a/*.tif' (in quotes). Without any, a project's own images are predicted.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="With IMAGES: folder for the results.")]
Run = Annotated[
    str | None,
    typer.Option(help="With a project: the run; the newest by default."),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="A project's own images: all (default), train, validate or test."
    ),
]
OneImage = Annotated[
    str | None,
    typer.Option("--image", help="A project's own image, by its name or id."),
]
Maps = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="With IMAGES: of classes, instances, probabilities, contours, "
        "distance, uncertainty; of several answers also expected_entropy, "
        "mutual_information, variance; and the maps of its method, which are "
        "listed if a name is unknown.  [default: instances,classes,contours]",
    ),
]
Also = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="With IMAGES: further files for each of them: rois (ImageJ ROI set), "
        "coco (COCO JSON).",
    ),
]
Overview = Annotated[
    bool | None,
    typer.Option(
        "--overview/--no-overview",
        help="With IMAGES: a picture of each result.  [default: overview]",
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(metavar="N,N", help="With IMAGES: channels to use, from 0."),
]
Axes = Annotated[
    str | None,
    typer.Option(help="With IMAGES: axes, such as ZYX, if files do not say."),
]
Recursive = Annotated[
    bool | None,
    typer.Option("--recursive", "-r", help="With IMAGES: also folders of folders."),
]
Again = Annotated[
    bool | None,
    typer.Option("--again", help="With IMAGES: also those that are done already."),
]
Blocks = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="With IMAGES: predict them in blocks, into OME-Zarr: auto (those whose "
        "result does not fit into memory), always or never.  [default: auto]",
    ),
]
NWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        help="With IMAGES: predict in so many processes, which take the GPUs in turn; "
        "needs the extra 'cluster'.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="With IMAGES: predict on a running dask cluster, such as "
        "tcp://node1:8786; needs the extra 'cluster'.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Memory = Annotated[
    float | None,
    typer.Option(
        metavar="GIB",
        min=0.001,
        help="Memory for the network; as it was trained by default.",
    ),
]
Uncertainty = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        help="What uncertainty is computed from: one-pass, dropout (Monte Carlo, "
        "for what was trained with dropout), or ensemble (the kept checkpoints of "
        "a run, or --with). The result is the mean of all answers.",
    ),
]
Passes = Annotated[
    int | None,
    typer.Option(help="With dropout: answers for each image.  [default: 20]"),
]
Seed = Annotated[
    int | None,
    typer.Option(help="With dropout: seed of what is dropped.  [default: 0]"),
]
Others = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="RUN_OR_MODEL",
        help="With ensemble: a further member, a run of the project or a model; "
        "may be repeated.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")
]


def refuse(given: Mapping[str, object], why: str) -> None:
    """Refuse options that were given but have no meaning here.

    Parameters
    ----------
    given : mapping of str to object
        Option -> its value; None and empty ones were not given.
    why : str
        Why they have none, without a full stop.

    Raises
    ------
    SettingsError
        Names those that were given.
    """
    wrong = [n for n, value in given.items() if value is not None and value != []]
    if wrong:
        raise SettingsError(f"{why}. Leave out {' and '.join(wrong)}.")


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas.

    Examples
    --------
    >>> names_in("classes, distance")
    ('classes', 'distance')
    """
    return tuple(name.strip() for name in text.split(",") if name.strip())


def numbers_in(option: str, text: str) -> tuple[int, ...]:
    """Return the numbers of a list with commas.

    Raises
    ------
    SettingsError
        If it holds anything else; names the option.
    """
    try:
        return tuple(int(number) for number in names_in(text))
    except ValueError:
        raise SettingsError(
            f"{option} is '{text}' but must be numbers from 0, for example 0,2."
        ) from None


def one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    """Return a value that is one of the choices.

    Raises
    ------
    SettingsError
        If it is none of them.
    """
    if value not in choices:
        raise SettingsError(
            f"{option} is '{value}' but must be one of: {', '.join(choices)}."
        )
    return value
