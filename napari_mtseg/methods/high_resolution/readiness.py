"""Whether paint is enough for HMEDN, and how much it makes boundaries weigh."""

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
    """Return settings in which boundaries weigh as background exceeds the objects."""
    if s.difficulty_weight > 0:
        return s
    ratio = paint.n_background_pixels / max(paint.n_object_pixels, 1)
    weight = min(max(ratio, 1.0), LARGEST_WEIGHT)
    return s.changed({"difficulty_weight": round(weight, 2)})


def readiness(paint: PaintSummary, s: HighResolutionSettings, task: Task) -> Readiness:
    """Tell whether the paint is enough."""
    problems = shared_problems(paint, n_classes=task.n_classes)
    notices = shared_notices(paint, n_classes=task.n_classes)
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
    learned = [
        name
        for name, is_on in (
            ("difficulty", s.difficulty),
            ("contour", s.contour),
            ("nuclei", s.nuclei),
        )
        if is_on
    ]
    if not learned:
        return ()
    return (
        "No full mask is painted: the boundaries that "
        f"{' and '.join(learned)} would use are hardly known, so the result is close "
        "to that of the plain network. Mark one image complete.",
    )
