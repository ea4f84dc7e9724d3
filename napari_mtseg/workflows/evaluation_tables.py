"""An evaluation as tables: CSV files for spreadsheets, JSON for scripts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_mtseg.storage.write import (
    clear_write_errors,
    write_bytes_atomically,
    write_json,
)
from napari_mtseg.workflows.scores import Evaluation


def write_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write ``per_image.csv``, ``per_object.csv`` and ``evaluation.json``.

    Undefined values are empty in CSV and null in JSON.

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
    for name, rows in tables.items():
        write_bytes_atomically(folder / name, _csv(rows).encode())
    write_json(folder / "evaluation.json", as_json(evaluation))
    return (*(folder / name for name in tables), folder / "evaluation.json")


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


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the summary and the scores per image; NaN stands for undefined."""
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
