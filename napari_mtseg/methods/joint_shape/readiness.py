"""Whether paint is enough for joint shape learning, and what else to know."""

from napari_mtseg.domain.training_settings import pathway_problems
from napari_mtseg.methods.joint_shape.settings import JointShapeSettings
from napari_mtseg.methods.protocol import Readiness, Task
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    shared_notices,
    shared_problems,
)


def readiness(paint: PaintSummary, s: JointShapeSettings, task: Task) -> Readiness:
    """Tell whether the paint is enough."""
    problems = shared_problems(paint, n_classes=task.n_classes)
    notices = shared_notices(paint, n_classes=task.n_classes, names=task.class_names)
    if not problems:
        problems, notices = _problems(paint, s, task), notices + _notices(paint, s)
    return Readiness(problems=problems, notices=notices)


def _problems(
    paint: PaintSummary, s: JointShapeSettings, task: Task
) -> tuple[str, ...]:
    problems = []
    n_weak = paint.n_images - paint.n_whole
    if s.has_distance and s.distance_norm != "trunc" and n_weak:
        verb = "is" if n_weak == 1 else "are"
        problems.append(
            f"distance_norm={s.distance_norm} needs full masks of whole images, but "
            f"{n_weak} of {paint.n_images} training images {verb} painted in part. Set "
            "distance_norm=trunc, or mark the whole images complete."
        )
    if s.ellipses and task.ndim == 3:
        problems.append(
            "ellipses=true is for 2D images but the images are 3D. Set ellipses=false."
        )
    return (*problems, *pathway_problems(s.pathway, s.levels))


def _notices(paint: PaintSummary, s: JointShapeSettings) -> tuple[str, ...]:
    notices = []
    if s.has_contour and paint.n_full == 0:
        said = (
            "partial masks only say where no contour is"
            if paint.n_partial
            else "scribbles say nothing about contours"
        )
        notices.append(
            "The contour cannot be learned without a full mask, so the map "
            f"'contour_probability' is noise: {said}. Mark one image complete, or set "
            "variant=mask+distance."
        )
    if s.decoders == 2 and s.variant == "mask":
        notices.append(
            "decoders=2 changes nothing with variant=mask: the second decoder is for "
            "shapes, and none is learned. Set decoders=1, or another variant."
        )
    return tuple(notices)
