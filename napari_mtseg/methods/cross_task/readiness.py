"""Whether paint is enough for cross-task consistency, and what follows from it."""

from typing import Any

from napari_mtseg.methods.cross_task.settings import CrossTaskSettings
from napari_mtseg.methods.protocol import Readiness, Task
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    shared_notices,
    shared_problems,
)


def readiness(paint: PaintSummary, s: CrossTaskSettings, task: Task) -> Readiness:
    """Tell whether the paint is enough, and what to know."""
    problems = shared_problems(paint, n_classes=task.n_classes)
    notices = shared_notices(paint, n_classes=task.n_classes, names=task.class_names)
    if not problems:
        problems = (
            *_setting_problems(s),
            *_adversary_problems(paint, s),
            *_label_problems(paint, s),
        )
    if not problems:
        notices += _notices(paint, s)
    return Readiness(problems=problems, notices=notices)


def adapted(paint: PaintSummary, s: CrossTaskSettings) -> CrossTaskSettings:
    """Return the settings with what is 'auto' decided, and without an idle adversary.

    METHODS.md section 6: without full masks there is no distribution of labelled
    distance maps, and the adversary is dropped.
    """
    changes: dict[str, Any] = {}
    if s.distance_norm == "auto":
        changes["distance_norm"] = "sides" if paint.is_exact else "trunc"
    for name in ("entropy", "class_weighting"):
        if getattr(s, name) == "auto":
            changes[name] = "off" if paint.is_exact else "on"
    if s.adversary != "none" and _idle_adversary(paint):
        changes["adversary"] = "none"
    return s.changed(changes) if changes else s


def _idle_adversary(paint: PaintSummary) -> str | None:
    """Return why an adversary has nothing to compare, as half a sentence."""
    if paint.n_whole == 0:
        return "no image has full masks of all of it"
    if paint.n_whole == paint.n_images and paint.n_unpainted == 0:
        return "every image has full masks"
    return None


def _setting_problems(s: CrossTaskSettings) -> tuple[str, ...]:
    problems = []
    wanting = [name for name in ("cross", "guidance") if getattr(s, name)]
    if s.adversary != "none":
        wanting.append("adversary")
    if wanting and not s.distance:
        verb = "needs" if len(wanting) == 1 else "need"
        off = ", ".join(
            f"{name}={'none' if name == 'adversary' else 'false'}" for name in wanting
        )
        named = " and ".join([", ".join(wanting[:-1]), wanting[-1]][-len(wanting) :])
        problems.append(
            f"{named} {verb} the distance map, but distance is false. "
            f"Set distance=true, or {off}."
        )
    if (s.guidance or s.teacher) and s.dropout == 0:
        asks = "guidance" if s.guidance else "teacher"
        problems.append(
            f"{asks}=true measures doubt by dropout, but dropout is 0. Set "
            f"dropout=0.2, or {asks}=false."
        )
    if s.teacher and s.average == 0:
        problems.append(
            "teacher=true follows the running average of the weights, but average is "
            "0. Set average=0.99, or teacher=false."
        )
    return tuple(problems)


def _adversary_problems(paint: PaintSummary, s: CrossTaskSettings) -> tuple[str, ...]:
    if s.adversary == "none" or _idle_adversary(paint):
        return ()
    if s.batch_size < 2:
        return (
            "The adversary compares patches of one step, but batch_size is 1. Set "
            "batch_size=2 or more, or adversary=none.",
        )
    if s.precision == "16-mixed":
        # One scaler of gradients serves one optimiser.
        return (
            "The adversary has an optimiser of its own, which precision=16-mixed does "
            "not allow for. Set precision=bf16-mixed or 32-true, or adversary=none.",
        )
    return ()


def _label_problems(paint: PaintSummary, s: CrossTaskSettings) -> tuple[str, ...]:
    n_weak = paint.n_images - paint.n_whole
    if not (s.distance and s.distance_norm == "sides" and n_weak):
        return ()
    verb = "is" if n_weak == 1 else "are"
    return (
        f"distance_norm=sides needs full masks of whole images, but {n_weak} of "
        f"{paint.n_images} painted training images {verb} painted in part. Set "
        "distance_norm=trunc, or mark the whole images complete.",
    )


def _notices(paint: PaintSummary, s: CrossTaskSettings) -> tuple[str, ...]:
    notices = []
    n = paint.n_unpainted
    noun = "image" if n == 1 else "images"
    if n and not s.learns_unlabelled:
        notices.append(
            f"{n} training {noun} without paint will not be used: with these settings "
            "the method learns from painted images alone."
        )
    if s.learns_unlabelled:
        notices.append(
            f"{n} training {noun} without paint will be learned from as well."
            if n
            else "No training image is without paint: this method learns from such "
            "images too, and gains most where there are many."
        )
    reason = _idle_adversary(paint) if s.adversary != "none" else None
    if reason is not None:
        notices.append(
            f"The adversary is left out: it compares images with and without full "
            f"masks, and {reason}."
        )
    return tuple(notices)
