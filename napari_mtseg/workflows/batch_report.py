"""What a batch leaves beside its results: a table of all images, and a page."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image as Picture

from napari_mtseg import __version__
from napari_mtseg.domain.printable import printable
from napari_mtseg.domain.review import DEFAULT_SCORE, SCORES
from napari_mtseg.storage.batch_ledger import ImageRecord
from napari_mtseg.storage.review_log import time_now
from napari_mtseg.storage.write import write_bytes_atomically
from napari_mtseg.workflows import review_html as parts
from napari_mtseg.workflows.batch_file import OVERVIEW
from napari_mtseg.workflows.review_pictures import QUALITY

TABLE = "images.csv"
"""one row per image"""

REPORT = "report.html"
"""what happened, to be read by people"""

N_PICTURES = 40
"""images whose overview is shown on the page (ours)"""

MOST_ROWS = 2000
"""rows of the table on the page; a browser is slow with more (ours)"""

WIDTH = 720
"""of an overview on the page, pixels (ours)"""

NOTHING = "-"


def write_batch_report(
    out: Path,
    newest: Sequence[ImageRecord],
    before: Mapping[str, ImageRecord],
) -> Path:
    """Write ``images.csv`` and ``report.html`` into the folder of the results.

    The table has the images of the newest batch and those that earlier ones have done;
    the page is about the newest one.

    Parameters
    ----------
    out : Path
        Folder of the results.
    newest : sequence of ImageRecord
        The images of the newest batch.
    before : mapping of str to ImageRecord
        Path of an image -> how an earlier batch has done it.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    records = {**before, **{record.input: record for record in newest}}
    rows = sorted(records.values(), key=lambda record: record.input)
    write_bytes_atomically(out / TABLE, _table_text(rows).encode())
    content = parts.page(
        f"Prediction into {printable(out.name)}", _page(out, newest, len(rows))
    )
    write_bytes_atomically(out / REPORT, content.encode())
    return out / REPORT


def most_doubtful(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Return the images whose default score is known, the most doubtful first."""
    known = [record for record in records if DEFAULT_SCORE in record.scores]
    return sorted(known, key=lambda record: -record.scores[DEFAULT_SCORE])


def _table_text(records: Sequence[ImageRecord]) -> str:
    rows = [_row(record) for record in records]
    columns = sorted(dict.fromkeys(name for row in rows for name in row), key=_place)
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _place(column: str) -> int:
    """Return where a column stands: images may have units and scores of their own."""
    begins = (
        ("image", "file", "status", "error"),
        ("objects ",),
        ("area_", "volume_"),
        tuple(SCORES.keys() - {"disagreement"}),
        ("scene",),
        ("class ",),
        ("disagree",),
        ("doubt",),
    )
    fits = (place for place, names in enumerate(begins) if column.startswith(names))
    return next(fits, len(begins))


def _row(record: ImageRecord) -> dict[str, str]:
    """Return column -> cell of what is known of an image."""
    row = {
        "image": record.name,
        "file": record.input,
        "status": "failed" if record.status == "failed" else "done",
        "error": record.error or "",
    }
    row |= {f"objects {name}": str(n) for name, n in record.objects.items()}
    row |= {
        f"{record.area_name} {name}": f"{area:.6g}"
        for name, area in record.areas.items()
    }
    row |= {name: _rounded(value) for name, value in record.scores.items()}
    if record.scenes:
        row["scene"] = max(record.scenes, key=record.scenes.__getitem__)
    row |= {f"scene {name}": _rounded(p) for name, p in record.scenes.items()}
    row |= {f"class {name}": _rounded(p) for name, p in record.present.items()}
    if record.present:
        row["disagreeing"] = "; ".join(record.disagreeing)
        if record.disagreement is not None:
            row["disagreement"] = _rounded(record.disagreement)
    if record.doubt is not None:
        row["doubt"] = _rounded(record.doubt)
    row["seconds"] = f"{record.seconds:.2f}"
    return {**row, "model": record.model, "run": record.run}


def _page(out: Path, newest: Sequence[ImageRecord], n_all: int) -> Iterator[str]:
    failed = [record for record in newest if record.status == "failed"]
    done = [record for record in newest if record.status != "failed"]
    yield parts.heading(f"Prediction of {len(newest):,} images", 1)
    yield parts.paragraph(
        f"{_origin(done)}Written {time_now()} by napari-mtseg {__version__}.",
        is_soft=True,
    )
    yield from _overview(newest, done, failed, n_all)
    yield from _failures(failed)
    yield from _notices(done)
    yield from _cases(out, done)
    yield from _all_images(done)


def _origin(done: Sequence[ImageRecord]) -> str:
    models = dict.fromkeys(f"Model {r.model}, run {r.run}. " for r in done)
    return next(iter(models), "")


def _overview(
    newest: Sequence[ImageRecord],
    done: Sequence[ImageRecord],
    failed: Sequence[ImageRecord],
    n_all: int,
) -> Iterator[str]:
    n_before = sum(record.status == "skipped" for record in done)
    counts = {"predicted": len(done) - n_before, "failed": len(failed)}
    if n_before:
        counts["done before"] = n_before
    n_empty = sum(not any(record.objects.values()) for record in done)
    if n_empty:
        counts["without objects"] = n_empty
    objects: Counter[str] = Counter()
    for record in done:
        objects.update(record.objects)
    yield parts.tiles({**counts, **objects})
    others = n_all - len(newest)
    also = f" with {others:,} more that were predicted before" if others else ""
    yield parts.paragraph(f"{TABLE} beside this page has a row per image{also}.")


def _failures(failed: Sequence[ImageRecord]) -> Iterator[str]:
    if failed:
        yield parts.heading("What failed")
        rows = [(record.input, record.error or "") for record in failed]
        yield parts.table(("Image", "What is wrong"), rows)


def _notices(done: Sequence[ImageRecord]) -> Iterator[str]:
    counts = Counter(notice for record in done for notice in record.notices)
    if counts:
        yield parts.heading("Notes")
        rows = [(notice, f"{n:,}") for notice, n in counts.most_common()]
        yield parts.table(("Note", "Images"), rows, numbers=(1,))


def _cases(out: Path, done: Sequence[ImageRecord]) -> Iterator[str]:
    shown = [
        (record, out / file)
        for record in most_doubtful(done)
        for file in record.files
        if file.endswith(OVERVIEW)
    ][:N_PICTURES]
    if not shown:
        return
    label = SCORES[DEFAULT_SCORE].label
    yield parts.heading("Most doubtful first")
    yield parts.paragraph(
        f"Ordered by '{label}': {SCORES[DEFAULT_SCORE].tip} "
        f"{_amount(len(shown), len(done))} shown."
    )
    yield '<div class="cases">'
    for record, file in shown:
        score = f"{label} {record.scores[DEFAULT_SCORE]:.2f}"
        caption = (record.name, score, _objects(record))
        described = f"{record.name}: outlines, and where the result is doubtful"
        content = _thumbnail(file)
        if content:
            yield parts.case(caption, parts.picture(content, described, kind="jpeg"))
    yield "</div>"


def _all_images(done: Sequence[ImageRecord]) -> Iterator[str]:
    if not done:
        return
    ordered = most_doubtful(done)
    ordered += [record for record in done if DEFAULT_SCORE not in record.scores]
    label = SCORES[DEFAULT_SCORE].label
    rows = [
        (
            record.name,
            _objects(record),
            f"{record.scores[DEFAULT_SCORE]:.3f}"
            if DEFAULT_SCORE in record.scores
            else NOTHING,
            f"{record.seconds:.1f}",
        )
        for record in ordered[:MOST_ROWS]
    ]
    left = len(ordered) - len(rows)
    yield parts.heading("All images")
    if left:
        yield parts.paragraph(f"{left:,} more are in {TABLE}.")
    columns = ("Image", "Objects", label.capitalize(), "Seconds")
    yield parts.table(columns, rows, numbers=(2, 3))


def _objects(record: ImageRecord) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in record.objects.items())


def _amount(n: int, of: int) -> str:
    return f"All {of:,}" if n == of else f"{n:,} of {of:,}"


def _thumbnail(file: Path) -> bytes:
    """Return an overview as a small JPEG; nothing where it cannot be read."""
    content = io.BytesIO()
    try:
        with Picture.open(file) as picture:
            small = picture.convert("RGB")
            small.thumbnail((WIDTH, WIDTH))
            # Colours at half resolution would blur the outlines.
            small.save(content, "JPEG", quality=QUALITY, subsampling=0)
    except OSError:
        return b""
    return content.getvalue()


def _rounded(value: float) -> str:
    return f"{value:.4f}"
