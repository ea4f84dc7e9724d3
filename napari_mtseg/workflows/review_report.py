"""A review as a study archives it: a page with pictures, and a table."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_mtseg import __version__
from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.review import SCORES, VERDICTS
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_index import ReviewedImage
from napari_mtseg.storage.review_log import time_now
from napari_mtseg.storage.run_folder import RunInfo, find_run
from napari_mtseg.storage.score_checks import (
    MAIN_SHARE,
    SHARES,
    ScoreCheck,
    load_score_check,
    score_label,
)
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically
from napari_mtseg.workflows import review_html as parts
from napari_mtseg.workflows.review import Review, verdict_of
from napari_mtseg.workflows.review_pictures import review_picture
from napari_mtseg.workflows.review_rows import table_text
from napari_mtseg.workflows.score_picture import save_score_picture

N_PICTURES = 60
"""images of which pictures are shown, unless the user says another (ours)"""

MOST_ROWS = 2000
"""rows of the table on the page; a browser is slow with more (ours)"""

NOTHING = "-"

Progress = Callable[[int, int], None]


def write_review(
    project: Project,
    review: Review,
    folder: Path,
    *,
    n_pictures: int = N_PICTURES,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write ``review.html`` and ``review.csv``, which need nothing else.

    Parameters
    ----------
    project : Project
        The project.
    review : Review
        Of the run that is reported.
    folder : Path
        Made if it is missing; an earlier report in it is replaced.
    n_pictures : int
        Most images of which pictures are shown, the most doubtful first.
    progress : callable, optional
        Called with the number of pictures made and to make.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    page, rows = folder / "review.html", folder / "review.csv"
    write_bytes_atomically(rows, table_text(review).encode())
    content = parts.page(
        f"Review of {project.info.name}, run {review.run}",
        _page(project, review, n_pictures, progress or _ignore),
    )
    write_bytes_atomically(page, content.encode())
    return page, rows


def _page(
    project: Project, review: Review, n_pictures: int, progress: Progress
) -> Iterator[str]:
    run = find_run(project.path, review.run).info
    check = load_score_check(project.path / "predictions" / review.run)
    yield parts.heading(f"Review of {project.info.name}", 1)
    yield parts.paragraph(
        f"Run {review.run}, method {run.method}. Written {time_now()} by "
        f"napari-mtseg {__version__}.",
        is_soft=True,
    )
    yield from _overview(review)
    yield from _checked(review, check)
    yield from _cases(project, review, n_pictures, progress)
    yield from _verdicts(review)
    yield from _origins(project, run)


def _overview(review: Review) -> Iterator[str]:
    counts = Counter(verdict_of(image) for image in review.images)
    shown = {name: counts[name] for name in ("unreviewed", *VERDICTS)}
    n_flagged = len(review.chosen("flagged"))
    yield parts.tiles({"predicted": len(review.images), "flagged": n_flagged, **shown})
    rule = review.rule
    if rule is None:
        yield parts.paragraph("No threshold was set, so no image is flagged.")
    else:
        yield parts.paragraph(
            f"An image is flagged if its score '{score_label(rule.score)}' is "
            f"{rule.threshold:.4g} or more, set by {rule.who}, {rule.when}."
        )
    sources = Counter(image.uncertainty_from for image in review.images)
    told = ", ".join(f"{source} ({n} images)" for source, n in sources.items())
    yield parts.paragraph(f"Doubt was computed from: {told}.")
    n_damaged = sum(bool(image.problem) for image in review.images)
    if n_damaged:
        which = "prediction" if n_damaged == 1 else "predictions"
        yield parts.paragraph(
            f"{n_damaged} {which} cannot be read; review.csv says why."
        )


def _checked(review: Review, check: ScoreCheck | None) -> Iterator[str]:
    yield parts.heading("How well the scores find failures")
    if check is None:
        yield parts.paragraph(
            "Not checked. 'mtseg evaluate' measures it on held-out images that a "
            "person annotated."
        )
        return
    yield parts.paragraph(check.sentence(review.main_score))
    for notice in check.notices:
        yield parts.paragraph(notice, is_soft=True)
    if not check.scores:
        return
    place = SHARES.index(MAIN_SHARE)
    yield parts.table(
        (
            "score",
            "Spearman with Dice (-1 is best)",
            "AUROC for failure (1 is best)",
            f"failures among the worst {MAIN_SHARE:.0%}",
            "area under risk-coverage (0 is best)",
        ),
        [
            (
                score_label(name),
                _with_interval(one.spearman, one.spearman_low, one.spearman_high),
                _with_interval(one.auroc, one.auroc_low, one.auroc_high),
                NOTHING if one.found[place] is None else f"{one.found[place]:.0%}",
                f"{one.curve.area:.3f}",
            )
            for name, one in sorted(
                check.scores.items(), key=lambda item: item[1].curve.area
            )
        ],
        numbers=(1, 2, 3, 4),
    )
    yield parts.paragraph(
        f"{check.n_images} images ({check.split}), against {check.truth}; a failure "
        f"has a Dice below {check.failure_below:g}; 95 % intervals over images. "
        f"Measured {check.when}.",
        is_soft=True,
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scores.png"
        save_score_picture(file, check)
        told = "Score against Dice, risk-coverage curves and reliability diagram"
        yield parts.picture(file.read_bytes(), told, kind="png", is_sheet=True)


def _cases(
    project: Project, review: Review, n_pictures: int, progress: Progress
) -> Iterator[str]:
    yield parts.heading("Images, the most doubtful first")
    wanted = [
        image
        for image in review.images
        if image.verdict is not None or review.is_flagged(image)
    ]
    which = "flagged or reviewed"
    if not wanted:
        wanted, which = list(review.images), "predicted"
    shown = review.by_doubt(wanted)[:n_pictures]
    yield parts.paragraph(
        f"{len(shown)} of {len(wanted)} {which} images, sorted by "
        f"'{score_label(review.main_score)}'; all are listed in review.csv."
    )
    yield parts.doubt_scale()
    yield '<div class="cases">'
    for done, image in enumerate(shown, start=1):
        yield _case(project, review, image)
        progress(done, len(shown))
    yield "</div>"


def _case(project: Project, review: Review, image: ReviewedImage) -> str:
    flagged = ["flagged"] if review.is_flagged(image) else []
    value = image.scores.get(review.main_score)
    score = NOTHING if value is None else f"{value:.3g}"
    caption = [
        image.name,
        f"{score_label(review.main_score)} {score}, {_objects(image)}, {image.split}",
        ", ".join([*flagged, _verdict_in_words(image, review.run)]),
    ]
    try:
        made = review_picture(project, project.image(image.id), review.run)
    except MtsegError as error:
        return parts.case(caption, parts.paragraph(str(error)))
    if made.plane is not None:
        caption[1] += f", plane {made.plane + 1}"
    inner = "".join(
        parts.picture(content, f"{what} of {image.name}", kind="jpeg")
        for content, what in ((made.outlines, "outlines"), (made.doubt, "doubt"))
    )
    return parts.case(caption, f'<div class="pair">{inner}</div>')


def _verdicts(review: Review) -> Iterator[str]:
    yield parts.heading("Verdicts")
    judged = [image for image in review.images if image.verdict is not None]
    if not judged:
        yield parts.paragraph("No image was reviewed.")
        return
    if len(judged) > MOST_ROWS:
        yield parts.paragraph(
            f"The first {MOST_ROWS:,} of {len(judged):,}; all are in review.csv."
        )
    columns = ("image", "split", "score", "verdict", "who", "when (UTC)", "run", "note")
    yield parts.table(
        columns,
        [_verdict_row(image, review.main_score) for image in judged[:MOST_ROWS]],
        numbers=(2,),
    )


def _verdict_row(image: ReviewedImage, score: str) -> Sequence[str]:
    value, said = image.scores.get(score), image.verdict
    shown = NOTHING if value is None else f"{value:.3g}"
    who = (
        ("", "", "", "") if said is None else (said.who, said.when, said.run, said.note)
    )
    return (image.name, image.split, shown, verdict_of(image), *who)


def _objects(image: ReviewedImage) -> str:
    return f"{image.n_objects} object{'s' * (image.n_objects != 1)}"


def _verdict_in_words(image: ReviewedImage, run: str) -> str:
    said = image.verdict
    if said is None:
        return "unreviewed"
    of_run = "" if said.run == run else f" (run {said.run})"
    note = f": {said.note}" if said.note else ""
    return f"{said.verdict} by {said.who}, {said.when}{of_run}{note}"


def _origins(project: Project, run: RunInfo) -> Iterator[str]:
    yield parts.heading("Where this comes from")
    classes = ", ".join(run.classes or [known.name for known in project.info.classes])
    facts = {
        "project": project.info.name,
        "images in the project": str(len(project.images)),
        "run": run.id,
        "began from run": run.parent or NOTHING,
        **({"began from model": run.model} if run.model else {}),
        "trained": f"{run.created}, seed {run.seed}, on {run.device}",
        "classes": classes,
        "scenes": ", ".join(run.scenes) or NOTHING,
        **{f"version of {name}": version for name, version in run.versions.items()},
    }
    yield parts.table(("", ""), list(facts.items()))
    settings = [(name, json.dumps(value)) for name, value in run.settings.items()]
    inner = parts.table(("setting", "value"), settings)
    yield parts.folded(f"Settings of the run ({len(settings)})", inner)
    scores = [(one.label, name, one.tip) for name, one in SCORES.items()]
    inner = parts.table(("score", "in review.csv", "meaning"), scores)
    yield parts.folded("What the scores mean", inner)


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NOTHING
    known = low is not None and high is not None
    return f"{value:.2f} [{low:.2f}, {high:.2f}]" if known else f"{value:.2f}"


def _ignore(_done: int, _total: int) -> None:
    """Take progress that nobody wants."""
