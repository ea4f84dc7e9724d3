"""Whether paint is enough for recursive approximation, and what else to know."""

from napari_mtseg.domain.training_settings import pathway_problems
from napari_mtseg.methods.protocol import Readiness, Task
from napari_mtseg.methods.recursive_approximation.settings import (
    RecursiveApproximationSettings,
)
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    shared_notices,
    shared_problems,
)


def readiness(
    paint: PaintSummary, settings: RecursiveApproximationSettings, task: Task
) -> Readiness:
    """Tell whether the paint is enough.

    Parameters
    ----------
    paint : PaintSummary
        Of the training images.
    settings : RecursiveApproximationSettings
        As asked for; 'auto' is not a demand.
    task : Task
        What the project asks for.
    """
    problems = shared_problems(paint, n_classes=task.n_classes)
    problems = problems or _problems(paint, settings)
    notices = shared_notices(paint, n_classes=task.n_classes, names=task.class_names)
    if not problems:
        notices += _notices(paint, settings)
    return Readiness(problems=problems, notices=notices)


def _problems(
    paint: PaintSummary, s: RecursiveApproximationSettings
) -> tuple[str, ...]:
    problems = []
    strokes_are_enough = s.strokes_teach and paint.has_strokes
    if s.supervision == "full" and paint.n_full == 0 and not strokes_are_enough:
        problems.append(
            "supervision=full was asked for but no image has a complete region. "
            "Mark one, or set supervision=auto."
        )
    if s.separation == "on" and paint.n_separated == 0 and paint.n_full == 0:
        problems.append(
            "separation=on was asked for but there is neither a separator nor a "
            "full mask. Draw one, or set separation=auto."
        )
    return (*problems, *pathway_problems(s.pathway, s.levels))


def _notices(paint: PaintSummary, s: RecursiveApproximationSettings) -> tuple[str, ...]:
    notices = []
    if paint.n_partial == 0 and not paint.has_strokes:
        notices.append(
            "No partial masks are painted: nothing grows but what is simulated "
            "from the full masks. The plain U-Net does the same in less time."
        )
    if paint.n_full == 0:
        beta = min(s.beta, s.beta_without_full)
        lacks = "counts yet" if paint.n_full_open else "is painted"
        notices.append(
            f"No full mask {lacks}: the boundaries are learned from weak labels "
            f"and growth is slowed down to beta {beta:g}. One full mask makes the "
            "boundaries better."
        )
    if s.separation == "on" and paint.n_separated == 0:
        notices.append(
            "The separation task is on but no separator is drawn: it learns from "
            "the borders of touching full masks alone."
        )
    return tuple(notices)
