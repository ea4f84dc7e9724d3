"""Parts of an annotation as JSON holds them: tables, regions and tags."""

from collections.abc import Iterable, Mapping
from typing import Any

from napari_mtseg.domain.annotation import Box, CompleteRegion, Tags


def complete_to_json(region: CompleteRegion) -> dict[str, Any]:
    """Return a region as plain lists and numbers."""
    return {
        "whole": bool(region.whole),
        "boxes": [[_integers(b.start), _integers(b.stop)] for b in region.boxes],
        "slices": _integers(region.slices),
    }


def complete_from_json(facts: dict[str, Any]) -> CompleteRegion:
    """Return the region that :func:`complete_to_json` wrote down."""
    return CompleteRegion(
        whole=bool(facts["whole"]),
        boxes=tuple(
            Box(start=tuple(_integers(a)), stop=tuple(_integers(b)))
            for a, b in facts["boxes"]
        ),
        slices=tuple(_integers(facts["slices"])),
    )


def tags_from_json(facts: dict[str, Any]) -> Tags:
    """Return the tags among an annotation's facts."""
    return Tags(
        scene=None if facts["scene"] is None else int(facts["scene"]),
        present={int(k): bool(v) for k, v in facts["present"].items()},
        exhaustive=bool(facts["exhaustive"]),
    )


def _integers(values: Iterable[Any]) -> list[int]:
    """Return plain integers, which JSON can hold, of NumPy's."""
    return [int(value) for value in values]


def table_to_json(table: Mapping[int, int]) -> dict[str, int]:
    """Return object id -> class with names that JSON can hold."""
    return {str(int(key)): int(value) for key, value in sorted(table.items())}


def table_from_json(table: dict[str, Any]) -> dict[int, int]:
    """Return the table that :func:`table_to_json` wrote down."""
    return {int(key): int(value) for key, value in table.items()}
