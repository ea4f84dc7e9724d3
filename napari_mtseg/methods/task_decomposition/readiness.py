"""Whether paint and tags are enough for task decomposition, and what follows."""

from typing import Any

from napari_mtseg.methods.protocol import Readiness, Task
from napari_mtseg.methods.task_decomposition.settings import (
    NO_WEIGHTS,
    TaskDecompositionSettings,
)
from napari_mtseg.storage.vgg16_weights import IMAGENET, weights_at_hand
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    shared_notices,
    shared_problems,
)

PUBLISHED_BASE = 64
"""channels of the first stage of the published VGG16"""

PUBLISHED_CHANNELS = (1, 3)
"""channels of images that it takes; grey is repeated"""


def wants_weights(s: TaskDecompositionSettings, task: Task) -> bool:
    """Tell whether the encoder is to start from published weights."""
    return task.ndim == 2 and s.encoder == "vgg16" and s.encoder_weights != NO_WEIGHTS


def takes_weights(s: TaskDecompositionSettings, task: Task) -> bool:
    """Tell whether published weights are wanted and fit the images."""
    return wants_weights(s, task) and task.n_channels in PUBLISHED_CHANNELS


def learns_scenes(s: TaskDecompositionSettings, task: Task) -> bool:
    """Tell whether the network has a head for scenes."""
    return _wants_scenes(s) and task.n_scenes > 1


def readiness(
    paint: PaintSummary, s: TaskDecompositionSettings, task: Task
) -> Readiness:
    """Tell whether paint and tags are enough, and what to know."""
    problems = shared_problems(paint, n_classes=task.n_classes)
    notices = shared_notices(paint, n_classes=task.n_classes, names=task.class_names)
    if not problems:
        problems = (*_network_problems(s, task), *_scene_problems(paint, s, task))
    if not problems:
        notices += (
            *_scene_notices(paint, s, task),
            *_tag_notices(paint, s),
            *_weight_notices(s, task),
        )
    return Readiness(problems=problems, notices=notices)


def adapted(
    paint: PaintSummary, s: TaskDecompositionSettings, task: Task, *, has_weights: bool
) -> TaskDecompositionSettings:
    """Return the settings with scenes, weights and norm decided.

    ``has_weights`` says whether the published weights were found.
    """
    changes: dict[str, Any] = {}
    if s.scenes == "auto":
        learned = _wants_scenes(s) and _can_learn_scenes(paint, s, task)
        changes["scenes"] = "on" if learned else "off"
    if s.class_weighting == "auto":
        changes["class_weighting"] = "off" if paint.is_exact else "on"
    if not has_weights and s.encoder_weights != NO_WEIGHTS:
        changes |= {"encoder_weights": NO_WEIGHTS, "norm": "batch"}
    return s.changed(changes) if changes else s


def _wants_scenes(s: TaskDecompositionSettings) -> bool:
    """Tell whether scenes are to be learned; without a context they have no place."""
    return s.scenes == "on" or (s.scenes == "auto" and s.context)


def _scenes_of(paint: PaintSummary, s: TaskDecompositionSettings) -> frozenset[int]:
    """Return the scenes of images that are learned from."""
    return paint.painted_scenes if s.unpainted == "none" else paint.scenes


def _can_learn_scenes(
    paint: PaintSummary, s: TaskDecompositionSettings, task: Task
) -> bool:
    return task.n_scenes > 1 and len(_scenes_of(paint, s)) > 1


def _network_problems(s: TaskDecompositionSettings, task: Task) -> tuple[str, ...]:
    problems = []
    if task.ndim == 3 and s.encoder != "vgg16":
        problems.append(
            f"encoder={s.encoder} is for 2D images but the images are 3D, which have "
            "an encoder of their own. Leave out the setting encoder."
        )
    if not s.context and s.decoder == "plain":
        problems.append(
            "context=false needs a decoder with skips, but decoder is plain. Set "
            "decoder=unet or context=true."
        )
    if not s.context and (s.classes or s.scenes == "on"):
        problems.append(
            "context=false leaves no place for the tasks 'classes' and 'scenes'. Set "
            "context=true, or classes=false, synchronise=false and scenes=off."
        )
    elif s.synchronise and not s.classes:
        problems.append(
            "synchronise=true keeps the classes in step, but classes is false. Set "
            "classes=true or synchronise=false."
        )
    return (*problems, *_weight_problems(s, task))


def _weight_problems(s: TaskDecompositionSettings, task: Task) -> tuple[str, ...]:
    if not wants_weights(s, task):
        return ()
    source = s.encoder_weights
    if source != IMAGENET and not weights_at_hand(source):
        return (
            f"There is no file '{source}' with weights for the encoder. Set "
            f"encoder_weights to the path of one, to {IMAGENET} or to {NO_WEIGHTS}.",
        )
    if s.base_channels != PUBLISHED_BASE or s.norm != "none":
        return (
            f"encoder_weights={source} needs base_channels={PUBLISHED_BASE} and "
            f"norm=none, but they are {s.base_channels} and {s.norm}. Set both, or "
            f"encoder_weights={NO_WEIGHTS}.",
        )
    return ()


def _scene_problems(
    paint: PaintSummary, s: TaskDecompositionSettings, task: Task
) -> tuple[str, ...]:
    if s.scenes != "on" or _can_learn_scenes(paint, s, task):
        return ()
    return (
        f"scenes=on needs training images of two scenes, but {_scenes_found(paint, s)}."
        " Tag the scene of some images, or set scenes=auto.",
    )


def _scene_notices(
    paint: PaintSummary, s: TaskDecompositionSettings, task: Task
) -> tuple[str, ...]:
    if not _wants_scenes(s):
        return ()
    if not _can_learn_scenes(paint, s, task):
        return (
            f"Scenes are not learned: {_scenes_found(paint, s)} among the training "
            "images, and it takes two. The third stage goes on with what the second "
            "learns.",
        )
    known = _scenes_of(paint, s)
    return tuple(
        f"No training image is tagged with the scene '{name}': it cannot be learned."
        for place, name in enumerate(task.scene_names)
        if place not in known
    )


def _scenes_found(paint: PaintSummary, s: TaskDecompositionSettings) -> str:
    n = len(_scenes_of(paint, s))
    return "no image is tagged with a scene" if n == 0 else f"{n} scene is tagged"


def _tag_notices(paint: PaintSummary, s: TaskDecompositionSettings) -> tuple[str, ...]:
    if not (s.classes and paint.n_tag_conflicts):
        return ()
    noun = "image" if paint.n_tag_conflicts == 1 else "images"
    return (
        f"Paint contradicts the class tags of {paint.n_tag_conflicts} {noun}; there "
        "the paint wins. Correct the tags or the paint.",
    )


def _weight_notices(s: TaskDecompositionSettings, task: Task) -> tuple[str, ...]:
    if task.ndim == 3:
        return ()
    if not wants_weights(s, task):
        return (
            "The encoder starts from random weights, with batch norm, and not from "
            "those of ImageNet as in the paper.",
        )
    if not takes_weights(s, task):
        return (
            f"The weights of ImageNet are for images of 1 or 3 channels but these have "
            f"{task.n_channels}: the encoder starts from random weights.",
        )
    if not weights_at_hand(s.encoder_weights) and s.encoder_weights == IMAGENET:
        return (
            "The weights of ImageNet (528 MB) are downloaded when the training starts; "
            "where that fails, the encoder starts from random ones.",
        )
    return ()
