"""`mtseg review`: which results to look at, what was said of them, what to do next."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.progress import progress_bar
from napari_mtseg.cli.project_labels import AsJson, ProjectPath
from napari_mtseg.cli.review_output import (
    json_of,
    judged_json,
    show_images,
    show_judged,
)
from napari_mtseg.domain.errors import MtsegError, SettingsError

if TYPE_CHECKING:
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.verdicts import Judged


class Filter(StrEnum):
    """Which images are listed."""

    all = "all"
    flagged = "flagged"
    unreviewed = "unreviewed"
    accepted = "accepted"
    rejected = "rejected"
    corrected = "corrected"
    skipped = "skipped"


class HowChoice(StrEnum):
    """How images to annotate are chosen."""

    doubt = "doubt"
    random = "random"
    interval = "interval"


def run_review(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    run: Annotated[
        str | None,
        typer.Option(help="The run; default the newest that predicted.", metavar="RUN"),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the predicted images; the default.")
    ] = False,
    flag: Annotated[
        bool,
        typer.Option("--flag", help="Set from which score on images are flagged."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write review.html with pictures, and review.csv.", metavar="DIR"
        ),
    ] = None,
    suggest: Annotated[
        int | None,
        typer.Option(min=1, help="Name images to annotate next.", metavar="N"),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help="Make the prediction of this image its full mask; may be repeated.",
            metavar="IMAGE",
        ),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option(
            help="Say that the prediction of this image is wrong; may be repeated.",
            metavar="IMAGE",
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the last verdict back.")
    ] = False,
    wanted: Annotated[
        Filter | None, typer.Option("--filter", help="With --list: these images only.")
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(help="With --list: score to sort by.", metavar="SCORE"),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(help="With --flag: score that decides.", metavar="SCORE"),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="With --flag: flag this score and more.", metavar="X"),
    ] = None,
    worst: Annotated[
        str | None,
        typer.Option(help="With --flag: flag the worst, such as 10%.", metavar="P%"),
    ] = None,
    pictures: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="With --report: most images with pictures.  [default: 60]",
            metavar="N",
        ),
    ] = None,
    how: Annotated[
        HowChoice | None,
        typer.Option(
            help="With --suggest: doubtful and unlike each other, at random, or evenly "
            "spaced.  [default: doubt]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="With --suggest: of what is drawn.  [default: 0]"),
    ] = None,
    note: Annotated[
        str | None,
        typer.Option(help="With --accept and --reject: what to write beside it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell which results need a look, keep verdicts, and report them.

    Run `mtseg predict` first. Scores are told by `--list --json`; higher is always
    more doubtful.

    Example: `mtseg review cells.mtseg --flag --worst 10%`

    Example: `mtseg review cells.mtseg --list --filter flagged`

    Example: `mtseg review cells.mtseg --report study/review`
    """
    action = _action(
        {
            "--list": list_,
            "--flag": flag,
            "--report": report is not None,
            "--suggest": suggest is not None,
            "--accept": bool(accept),
            "--reject": bool(reject),
            "--undo": undo,
        }
    )
    _check_goes_with(action, "--list", {"--filter": wanted, "--sort": sort})
    flags = {"--score": score, "--threshold": threshold, "--worst": worst}
    _check_goes_with(action, "--flag", flags)
    _check_goes_with(action, "--report", {"--pictures": pictures})
    _check_goes_with(action, "--suggest", {"--how": how, "--seed": seed})
    _check_goes_with(action, "--accept or --reject", {"--note": note})
    from napari_mtseg.storage.project import Project

    opened = Project.open(project)
    if action == "--list":
        _list(opened, run, wanted or Filter.all, sort, as_json=as_json)
    elif action == "--flag":
        _flag(opened, run, (score, threshold, worst), as_json=as_json)
    elif report is not None:
        _report(opened, run, report, pictures, as_json=as_json)
    elif suggest is not None:
        chosen = how or HowChoice.doubt
        _suggest(opened, run, suggest, chosen, seed or 0, as_json=as_json)
    else:
        _judge(opened, run, action, accept or reject or (), note or "", as_json=as_json)


def _action(asked: Mapping[str, bool]) -> str:
    """Return the one thing that is wanted."""
    given = [name for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        raise SettingsError(
            f"{' and '.join(given)} cannot be done at once. Give one of them."
        )
    return given[0] if given else "--list"


def _check_goes_with(action: str, owner: str, given: Mapping[str, object]) -> None:
    names = [name for name, value in given.items() if value is not None]
    if names and action not in owner.split(" or "):
        raise SettingsError(
            f"{names[0]} goes with {owner}, not with {action}. Leave it out, or add "
            f"{owner}."
        )


def _list(
    project: "Project",
    run: str | None,
    wanted: Filter,
    sort: str | None,
    *,
    as_json: bool,
) -> None:
    from napari_mtseg.workflows.review import review_of

    review = review_of(project, run)
    images = review.by_doubt(review.chosen(wanted.value), sort)
    if as_json:
        print_json(json_of(review, images))
        return
    show_images(project, review, images, sort or review.main_score)


def _flag(
    project: "Project",
    run: str | None,
    asked: tuple[str | None, float | None, str | None],
    *,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from napari_mtseg.storage.review_log import account_name
    from napari_mtseg.workflows.review import new_flag_rule, review_of

    name, threshold, worst = asked
    if (threshold is None) == (worst is None):
        raise SettingsError("--flag needs either --threshold X or --worst 10%.")
    share = 0.0 if worst is None else _share(worst)
    review = review_of(project, run)
    score = review.checked_score(name or review.main_score)
    if threshold is None:
        threshold = review.threshold_of_worst(share, score)
    with project.annotation_lock():
        rule = new_flag_rule(
            project, review, score=score, threshold=threshold, who=account_name()
        )
    review = replace(review, rule=rule)
    images = review.by_doubt(review.chosen("flagged"), score)
    if as_json:
        print_json(json_of(review, images))
        return
    show_images(project, review, images, score)


def _report(
    project: "Project",
    run: str | None,
    folder: Path,
    n_pictures: int | None,
    *,
    as_json: bool,
) -> None:
    from napari_mtseg.workflows.review import review_of
    from napari_mtseg.workflows.review_report import N_PICTURES, write_review

    review = review_of(project, run)
    n = N_PICTURES if n_pictures is None else n_pictures
    with progress_bar("making pictures") as progress:
        files = write_review(project, review, folder, n_pictures=n, progress=progress)
    if as_json:
        print_json({"run": review.run, "files": [str(file) for file in files]})
        return
    for file in files:
        say(f"written: {file}")


def _suggest(
    project: "Project",
    run: str | None,
    n: int,
    how: HowChoice,
    seed: int,
    *,
    as_json: bool,
) -> None:
    from napari_mtseg.workflows.review import suggested_images

    entries = suggested_images(project, n, how=how.value, seed=seed, run=run)
    if as_json:
        print_json({"suggested": [{"id": e.id, "name": e.name} for e in entries]})
        return
    for entry in entries:
        typer.echo(entry.name)
    if not entries:
        say("Every training image is annotated already.")
    elif len(entries) < n:
        say(f"Only {len(entries)} training images are not annotated yet.")


def _judge(
    project: "Project",
    run: str | None,
    action: str,
    names: Sequence[str],
    note: str,
    *,
    as_json: bool,
) -> None:
    from napari_mtseg.storage import verdicts
    from napari_mtseg.storage.review_log import ReviewLog, account_name
    from napari_mtseg.workflows.review import review_of

    of_run, who = review_of(project, run).run, account_name()
    log = ReviewLog(project.path)
    judge = verdicts.accept if action == "--accept" else verdicts.reject
    # An unknown name is found before anything is changed.
    entries = [project.image(name) for name in names]
    judged: list[verdicts.Judged] = []
    try:
        with project.annotation_lock():
            for entry in entries:
                one = judge(project, entry, of_run, who=who, note=note, log=log)
                judged.append(one)
            if action == "--undo":
                taken_back = verdicts.undo(project, run=of_run, who=who, log=log)
                judged += [taken_back] if taken_back is not None else []
    except MtsegError:
        # What was written before one is refused is told too.
        if judged:
            _show(project, of_run, judged, as_json=as_json)
        raise
    _show(project, of_run, judged, as_json=as_json)


def _show(
    project: "Project", run: str, judged: Sequence["Judged"], *, as_json: bool
) -> None:
    if as_json:
        print_json({"run": run, "judged": [judged_json(one) for one in judged]})
        return
    show_judged(project, run, judged)


def _share(text: str) -> float:
    """Return the share that a percentage says."""
    number = text.strip().removesuffix("%")
    try:
        # Without the sign, 1 could mean the worst one, 1 % or all of them.
        return float(number if number != text.strip() else "") / 100
    except ValueError:
        raise SettingsError(
            f"--worst got '{text}' but expects a percentage, for example --worst 10%."
        ) from None
