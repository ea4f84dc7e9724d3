"""An evaluation as tables: CSV files for spreadsheets, JSON for scripts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_mtseg.storage.score_checks import (
    BEST,
    CHANCE,
    SHARES,
    ScoreCheck,
    score_label,
)
from napari_mtseg.storage.write import (
    clear_write_errors,
    write_bytes_atomically,
    write_json,
)
from napari_mtseg.workflows.score_picture import save_score_picture
from napari_mtseg.workflows.scores import Evaluation


def write_evaluation(
    evaluation: Evaluation, folder: Path, *, check: ScoreCheck | None = None
) -> tuple[Path, ...]:
    """Write ``per_image.csv``, ``per_object.csv`` and ``evaluation.json``.

    With a check of the scores also ``scores.csv`` and ``scores.png``. Undefined values
    are empty in CSV and null in JSON.

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
    tables = {
        "per_image.csv": image_rows(evaluation),
        "per_object.csv": object_rows(evaluation),
    }
    if check is not None:
        tables["scores.csv"] = score_rows(check)
    for name, rows in tables.items():
        write_bytes_atomically(folder / name, _csv(rows).encode())
    write_json(folder / "evaluation.json", as_json(evaluation, check=check))
    others = ["evaluation.json"]
    if check is not None:
        save_score_picture(folder / "scores.png", check)
        others.append("scores.png")
    return tuple(folder / name for name in (*tables, *others))


def image_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row per image and class; answers about the image stand in each."""
    told = evaluation.answers()
    return [
        {
            "image": image.name,
            "id": image.image_id,
            "class": evaluation.class_names[c - 1],
            **asdict(scores),
            **{name: getattr(image, name) for name in told},
        }
        for image in evaluation.images
        for c, scores in image.classes.items()
    ]


def object_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row per object of the reference, and per false alarm."""
    rows = []
    for image in evaluation.images:
        for item in image.objects:
            values = asdict(item)
            name = evaluation.class_names[values.pop("class_id") - 1]
            rows.append(
                {"image": image.name, "id": image.image_id, "class": name, **values}
            )
    return rows


def score_rows(check: ScoreCheck) -> list[dict[str, Any]]:
    """Return a row per score, the least area first, and what they compare with."""
    order = sorted(check.scores.items(), key=lambda item: item[1].curve.area)
    rows = [
        {
            "score": name,
            "label": score_label(name),
            "images": check.n_images,
            "failed": check.n_failed,
            **figures.model_dump(exclude={"found", "curve"}),
            "area": figures.curve.area,
            **_by_share(figures.found),
        }
        for name, figures in order
    ]
    if not rows or check.best is None:
        return rows
    nothing: dict[str, Any] = dict.fromkeys(rows[0])
    counts = {"images": check.n_images, "failed": check.n_failed}
    best = {"area": check.best.area, **_by_share(check.found_best)}
    chance = {"area": check.chance, **_by_share(check.found_chance)}
    for name, values in ((BEST, best), (CHANCE, chance)):
        rows.append({**nothing, "score": name, "label": name, **counts, **values})
    return rows


def as_json(
    evaluation: Evaluation, *, check: ScoreCheck | None = None
) -> dict[str, Any]:
    """Return the summary and the scores per image; NaN stands for undefined.

    With a check of the scores, it is there too, with a sentence for each.
    """
    empty = {
        name: evaluation.n_empty(c)
        for c, name in enumerate(evaluation.class_names, start=1)
    }
    return {
        "run": evaluation.run,
        "split": evaluation.split,
        "truth": evaluation.truth,
        "unit": evaluation.unit,
        "seed": evaluation.seed,
        "n_images": len(evaluation.images),
        "summary": {
            name: {metric: asdict(interval) for metric, interval in row.items()}
            for name, row in evaluation.summary().items()
        },
        "answers": {n: asdict(i) for n, i in evaluation.answers().items()},
        "one_empty": {name: one for name, (one, _) in empty.items()},
        "both_empty": {name: both for name, (_, both) in empty.items()},
        "images": image_rows(evaluation),
        "notices": list(evaluation.notices),
        **({} if check is None else {"score_check": _check_as_json(check)}),
    }


def _check_as_json(check: ScoreCheck) -> dict[str, Any]:
    return {
        **check.model_dump(mode="json"),
        "n_images": check.n_images,
        "n_failed": check.n_failed,
        "is_enough": check.is_enough,
        "flagged_shares": list(SHARES),
        "sentences": {name: check.sentence(name) for name in check.scores},
    }


def _by_share(found: Sequence[float | None]) -> dict[str, float | None]:
    return {
        f"found_by_{100 * share:g}_percent": value
        for share, value in zip(SHARES, found, strict=True)
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
