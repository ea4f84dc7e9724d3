"""`mtseg project`: make a project, fill it, look at it, and move its labels."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli import (
    project_info,
    project_labels,
    project_scenes,
    project_tags,
)
from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.progress import progress_bar
from napari_mtseg.domain.errors import SettingsError

if TYPE_CHECKING:
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.add_images import AddReport, FileOptions, SplitRule

app = typer.Typer(
    help="Make a project, add images, and move labels in and out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


SAMPLE_PROJECT = "glands.mtseg"


class ColourChoice(StrEnum):
    """How images of different channel counts are read."""

    as_is = "as_is"
    grey = "grey"
    rgb = "rgb"


class SplitChoice(StrEnum):
    """What an image is used for."""

    train = "train"
    validate = "validate"
    test = "test"


ProjectPath = Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout.")
]
SplitFile = Annotated[
    Path | None,
    typer.Option(
        help="CSV file with the columns name and split (train, validate, test)."
    ),
]
ValidateShare = Annotated[
    float, typer.Option(help="Share of the groups that validate, 0..1.")
]
TestShare = Annotated[float, typer.Option(help="Share of the groups that test, 0..1.")]


@app.command("new")
def new_project(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    classes: Annotated[
        str, typer.Option(help="Names of what is segmented, separated by commas.")
    ],
    scenes: Annotated[
        str,
        typer.Option(help="Kinds of images, separated by commas, if there are any."),
    ] = "",
    colour: Annotated[
        ColourChoice,
        typer.Option(help="Read images as they are, or all as grey or as rgb."),
    ] = ColourChoice.as_is,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Add this image or folder at once; may be repeated."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Keep copies of them inside the project.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an empty project folder.

    Example: `mtseg project new cells.mtseg --classes nucleus,debris --images photos`
    """
    from napari_mtseg.storage.project import Project

    made = Project.create(
        project, classes=_words(classes), scenes=_words(scenes), colour=colour.value
    )
    say(f"made {made.path} with {_count(made.info.n_classes, 'class', 'classes')}")
    if images:
        from napari_mtseg.workflows.add_images import FileOptions

        _add(made, images, None, FileOptions(copy=copy), as_json=as_json)
    elif as_json:
        print_json({"project": str(made.path), "added": [], "failed": {}})


@app.command("add")
def add(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    paths: Annotated[
        list[Path], typer.Argument(help="Image files, or folders of images.")
    ],
    copy: Annotated[
        bool, typer.Option("--copy", help="Keep copies inside the project.")
    ] = False,
    channels: Annotated[
        str | None,
        typer.Option(help="Channels used, from 0, such as 0,2; default all."),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(help="Axes of the files, such as ZYX, where they do not say."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Regular expression: names that match alike stay in one split.",
            metavar="REGEX",
        ),
    ] = None,
    split: Annotated[
        SplitChoice | None, typer.Option(help="Split of these images; default train.")
    ] = None,
    split_file: SplitFile = None,
    validate_share: ValidateShare = 0.0,
    test_share: TestShare = 0.0,
    as_json: AsJson = False,
) -> None:
    r"""Add images by reference, or as copies; a bad file does not stop the others.

    The exit code is 1 if any file could not be added.

    Example: `mtseg project add cells.mtseg photos --test-share 0.2`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.add_images import (
        FileOptions,
        checked_pattern,
    )

    opened = Project.open(project)
    rule = _rule(split, split_file, validate_share, test_share, seed=0)
    options = FileOptions(
        copy=copy,
        channels=_numbers(channels),
        axes=axes,
        group_by=checked_pattern(group_by) if group_by else None,
    )
    _add(opened, paths, rule, options, as_json=as_json)


@app.command("sample")
def make_sample(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the sample and the project on it.")
    ],
    painted: Annotated[
        bool, typer.Option("--painted", help="Let a simulated annotator paint it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another hand.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a project on the embedded sample: a stained section, cut into 16 tiles.

    11 tiles train, 1 validates, 4 test.

    Example: `mtseg project sample mtseg-sample --painted`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.add_images import SplitRule, add_images
    from napari_mtseg.workflows.demo import SPLITS, make_sample_project
    from napari_mtseg.workflows.sample import CLASS_NAME, write_sample

    if painted:
        project, _ = make_sample_project(folder, seed=seed)
    else:
        project = Project.create(folder / SAMPLE_PROJECT, classes=[CLASS_NAME])
        images = write_sample(folder / "sample").images
        add_images(project, images, rule=SplitRule(by_name=SPLITS))
    if as_json:
        print_json({"project": str(project.path), "images": len(project.images)})
    say(f"made {project.path} with {_count(len(project.images), 'image')}")


@app.command("split")
def split_images(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Images, by name or id; all if none is named."),
    ] = None,
    to: Annotated[
        SplitChoice | None, typer.Option(help="The split of these images.")
    ] = None,
    split_file: SplitFile = None,
    validate_share: ValidateShare = 0.0,
    test_share: TestShare = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed draws another split.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Set which images train, validate and test; groups stay together.

    Example: `mtseg project split cells.mtseg --validate-share 0.2 --test-share 0.2`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.add_images import set_splits

    if to is None and split_file is None and not (validate_share or test_share):
        raise SettingsError(
            "How to split was not said. Choose --to train, validate or test, "
            "--split-file, or --validate-share and --test-share."
        )
    opened = Project.open(project)
    rule = _rule(to, split_file, validate_share, test_share, seed=seed)
    changed = set_splits(opened, rule, names or ())
    if as_json:
        print_json({"changed": {e.id: e.split for e in changed}})
    say(f"{_count(len(changed), 'image')} moved; now {splits_in_words(opened)}")
    _say_empty_shares(opened, {"validate": validate_share, "test": test_share})


@app.command("relink")
def relink(
    project: ProjectPath,
    folder: Annotated[
        Path, typer.Argument(help="Where the images are now; folders in it count.")
    ],
    as_json: AsJson = False,
) -> None:
    """Find images again that were moved, by their content.

    The exit code is 1 if some are still missing.

    Example: `mtseg project relink cells.mtseg /data/moved_here`
    """
    from napari_mtseg.storage.project import Project

    opened = Project.open(project)
    found = opened.relink(folder)
    missing = [e for e in opened.images if not (opened.path / e.source).exists()]
    if as_json:
        print_json(
            {"relinked": [e.id for e in found], "missing": [e.id for e in missing]}
        )
    say(f"{_count(len(found), 'image')} found again, {len(missing)} still missing")
    for entry in missing:
        say(f"  missing: {entry.name}, last at {opened.path / entry.source}")
    if missing:
        raise typer.Exit(1)


app.command("info")(project_info.show_info)
app.command("tag")(project_tags.run_tag)
app.command("scenes")(project_scenes.run_scenes)
app.command("simulate")(project_labels.run_simulate)
app.command("import")(project_labels.run_import)
app.command("export")(project_labels.run_export)


def splits_in_words(project: "Project") -> str:
    """Return such as '12 train, 3 validate, 5 test'."""
    splits = [entry.split for entry in project.images]
    return ", ".join(
        f"{splits.count(choice.value)} {choice.value}" for choice in SplitChoice
    )


def _say_empty_shares(project: "Project", shares: Mapping[str, float]) -> None:
    """Tell why a split has no image although a share of them was to get into it."""
    used = {entry.split for entry in project.images}
    for split, share in shares.items():
        if share and split not in used:
            say(
                f"note: no image fell into '{split}': each group of images is drawn by "
                f"itself, with a chance of {share:g}, so few may give none. Try "
                f"another --seed, or name images with --to {split}."
            )


def _add(
    project: "Project",
    paths: Sequence[Path],
    rule: "SplitRule | None",
    options: "FileOptions | None",
    *,
    as_json: bool,
) -> None:
    from napari_mtseg.workflows.add_images import add_images

    with progress_bar("adding images") as progress:
        report = add_images(
            project, paths, rule=rule, options=options, progress=progress
        )
    if as_json:
        print_json(
            {
                "project": str(project.path),
                "added": [
                    {"id": e.id, "name": e.name, "split": e.split} for e in report.added
                ],
                "failed": dict(report.failed),
            }
        )
    _say_added(project, report)
    if report.failed:
        raise typer.Exit(1)


def _say_added(project: "Project", report: "AddReport") -> None:
    say(
        f"{_count(len(report.added), 'image')} added; the project has "
        f"{_count(len(project.images), 'image')}: {splits_in_words(project)}"
    )
    say_failed(report.failed, "added")
    if report.added and all(entry.split == "train" for entry in project.images):
        say(
            "note: no image validates or tests yet. Set some aside, for example with "
            f"'mtseg project split {project.path.name} --validate-share 0.2 "
            "--test-share 0.2'."
        )


def say_failed(failed: Mapping[str, str], what: str) -> None:
    """List what went wrong, a line each."""
    if failed:
        say(f"{_count(len(failed), 'file')} could not be {what}:")
    for sentence in failed.values():
        say(f"  {sentence}")


def _rule(
    split: SplitChoice | None,
    split_file: Path | None,
    validate_share: float,
    test_share: float,
    *,
    seed: int,
) -> "SplitRule":
    from napari_mtseg.workflows.add_images import (
        SplitRule,
        read_split_file,
    )

    if split is not None and (validate_share or test_share):
        raise SettingsError(
            f"One split for all, '{split.value}', and shares do not go together. Leave "
            "out --validate-share and --test-share, or the split."
        )
    return SplitRule(
        by_name=read_split_file(split_file) if split_file else {},
        fixed=split.value if split else None,
        validate_share=validate_share,
        test_share=test_share,
        seed=seed,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not all(word.isdigit() for word in _words(text)) or not _words(text):
        raise SettingsError(
            f"--channels is '{text}' but expects numbers from 0, such as 0,2."
        )
    return tuple(int(word) for word in _words(text))


def _count(n: int, singular: str, plural: str | None = None) -> str:
    return f"{n} {singular if n == 1 else plural or singular + 's'}"
