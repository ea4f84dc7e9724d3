"""All predicted images of a run as a table: scores, and what a person said."""

import csv
import io
from typing import Any

from napari_mtseg.workflows.review import Review, verdict_of


def table_text(review: Review) -> str:
    """Return :func:`review_rows` as CSV; what is not known is empty."""
    rows = review_rows(review)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def review_rows(review: Review) -> list[dict[str, Any]]:
    """Return a row per predicted image: its scores, and what a person said."""
    rows = []
    for image in review.images:
        said = image.verdict
        rows.append(
            {
                "id": image.id,
                "name": image.name,
                "split": image.split,
                "objects": image.n_objects,
                "uncertainty_from": image.uncertainty_from,
                **{name: image.scores.get(name) for name in review.scores},
                "flagged": int(review.is_flagged(image)),
                "verdict": verdict_of(image),
                "verdict_run": "" if said is None else said.run,
                "who": "" if said is None else said.who,
                "when": "" if said is None else said.when,
                "note": "" if said is None else said.note,
                "problem": image.problem,
            }
        )
    return rows
