"""Whether paint is enough for HMEDN, and how much it makes boundaries weigh."""

from typing import Any

from napari_mtseg.domain.training_settings import pathway_problems
from napari_mtseg.methods.high_resolution.settings import HighResolutionSettings
from napari_mtseg.methods.protocol import Readiness, Task
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    shared_notices,
    shared_problems,
)

NAMED_ENCODERS = ("resnet34", "resnet50", "resnet101", "densenet121")
"""networks that begin with half the resolution"""

LARGEST_WEIGHT = 50.0
"""of boundaries, where background exceeds the objects by even more (ours)"""


def adapted(paint: PaintSummary, s: HighResolutionSettings) -> HighResolutionSettings:
    """Return the settings with the weights of boundaries and classes decided.

    Boundaries weigh as background exceeds the objects; classes see class_weighting.
    """
    changes: dict[str, Any] = {}
    if s.difficulty_weight == 0:
        ratio = paint.n_background_pixels / max(paint.n_object_pixels, 1)
        changes["difficulty_weight"] = round(min(max(ratio, 1.0), LARGEST_WEIGHT), 2)
    if s.class_weighting == "auto":
        exact = "off" if s.difficulty else "frequency"
        changes["class_weighting"] = exact if paint.is_exact else "root"
    return s.changed(changes) if changes else s


def readiness(paint: PaintSummary, s: HighResolutionSettings, task: Task) -> Readiness:
    """Tell whether the paint is enough."""
    problems = shared_problems(paint, n_classes=task.n_classes)
    notices = shared_notices(paint, n_classes=task.n_classes, names=task.class_names)
    if not problems:
        problems, notices = _problems(s, task), notices + _notices(paint, s)
    return Readiness(problems=problems, notices=notices)


def _problems(s: HighResolutionSettings, task: Task) -> tuple[str, ...]:
    problems = []
    if s.slices > 1 and task.ndim == 2:
        problems.append(
            f"slices={s.slices} is for 3D images but the images are 2D. Set slices=1."
        )
    if s.slices > 1 and task.ndim == 3 and s.patch_depth != s.slices:
        problems.append(
            f"slices={s.slices} learns from patches of as many planes, but patch_depth "
            f"is {s.patch_depth}. Set patch_depth={s.slices}."
        )
    if s.pathway == 1 and s.network in NAMED_ENCODERS:
        problems.append(
            f"pathway=1 is at full resolution, which network={s.network} does not "
            "have. Set pathway to 2, 3 or 4, or to 0 for none."
        )
    if s.network in {"distilling", "unet"}:
        problems += pathway_problems(s.pathway, s.levels)
    return tuple(problems)


def _notices(paint: PaintSummary, s: HighResolutionSettings) -> tuple[str, ...]:
    if paint.n_full:
        return ()
    wanting = [n for n in ("difficulty", "contour", "nuclei") if getattr(s, n)]
    if not wanting:
        return ()
    results = [
        result
        for result, follows in (
            ("the result is close to that of the plain network", wanting != ["nuclei"]),
            ("the map 'boundary' tells little", s.contour),
            ("touching objects may be split wrongly", s.nuclei),
        )
        if follows
    ]
    return (
        f"No full mask is painted: the boundaries that {_listed(wanting)} would use "
        f"are hardly known, so {_listed(results)}. Mark one image complete.",
    )


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
