"""Settings, presets and table rows of task decomposition."""

from typing import Any, Literal

from napari_mtseg.domain.settings import setting
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.storage.vgg16_weights import IMAGENET

NO_WEIGHTS = "none"
"""encoder_weights: random ones"""


class TaskDecompositionSettings(TrainingSettings):
    """Which tasks are learned, by which network, and how they are kept in step."""

    steps: int = setting(
        3000, ge=1, le=10_000_000, step=10, source="ours", unit="steps", simple=True
    )
    """Optimiser steps of all three stages together, a third each."""
    classes: bool = setting(True, source="paper", simple=True, network=True)
    """Learn which classes occur in a patch as well."""
    synchronise: bool = setting(True, source="paper", simple=True)
    """From the second stage on, let the classes that are told to occur follow those
    that the segmentation shows."""
    scenes: Literal["auto", "on", "off"] = setting("auto", source="paper", simple=True)
    """In the third stage, learn the scene of an image as well; 'auto' does so where
    images of two scenes are tagged."""
    encoder: Literal["vgg16", "resnet34", "resnet50"] = setting(
        "vgg16", source="paper", network=True
    )
    """The contracting path of 2D images; 3D images have the paper's anisotropic one."""
    encoder_weights: str = setting(
        IMAGENET, source="paper", values="imagenet | none | path of a file"
    )
    """Where the VGG16 of base_channels=64 starts from: 'imagenet' takes the published
    weights, downloaded once (528 MB), 'none' random ones, and a path a file with
    them."""
    context: bool = setting(True, source="paper", network=True)
    """Join context of five ranges before the tasks part (the context ensemble)."""
    separate_context: bool = setting(False, source="code", network=True)
    """Give each pair of tasks a context ensemble of its own, as the text has it; the
    code shares one."""
    decoder: Literal["plain", "unet"] = setting("plain", source="paper", network=True)
    """How the segmentation comes back to full resolution: in one step without skips
    (the paper's ASPP), or level by level with skips."""
    low_memory: bool = setting(False, source="ours", network=True)
    """Reduce channels before the plain decoder enlarges the maps: a third of the
    memory of a training step, and other answers."""
    base_channels: int = setting(
        64, ge=1, le=512, step=1, source="paper", unit="channels", network=True
    )
    """Channels of the encoder's first stage; of 3D images of the whole trunk."""
    width: int = setting(
        256, ge=1, le=2048, step=8, source="code", unit="channels", network=True
    )
    """Channels of the context ensemble and of each pair of tasks."""
    hidden: int = setting(
        256, ge=1, le=4096, step=8, source="paper", unit="neurons", network=True
    )
    """Neurons between the joint maps and the answer for classes and for scenes."""
    levels: Literal[6] = setting(6, source="paper", network=True)
    """Resolutions of the encoder, which are fixed; 3D images have 3."""
    norm: Literal["batch", "none"] = setting("none", source="ours", network=True)
    """Normalisation between convolutions: none where the published weights are used,
    else batch, without which training from random weights stalls."""
    class_weight: float = setting(0.2, ge=0, le=100, step=0.1, source="code")
    """Weight of the loss of classes (the paper's w1)."""
    scene_weight: float = setting(0.2, ge=0, le=100, step=0.1, source="code")
    """Weight of the loss of scenes (w2)."""
    sync_weight: float = setting(0.4, ge=0, le=100, step=0.1, source="code")
    """Weight of the synchronisation (w3)."""
    entropy_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="paper")
    """Weight of the segmentation's cross entropy; .5 in the code."""
    iou_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="paper")
    """Weight of the segmentation's intersection over union; .5 in the code."""
    iou_reduction: Literal["mean", "sum"] = setting("mean", source="ours")
    """Average it over the classes that occur, or sum it over all, as the code does,
    where it drowns the cross entropy."""
    scene_loss: Literal["cross_entropy", "bce"] = setting(
        "cross_entropy", source="code"
    )
    """Loss of scenes: of scenes that exclude each other, or the paper's binary one."""
    shown: Literal["argmax", "half"] = setting("argmax", source="paper")
    """A class occurs in the segmentation if it is the most probable of some pixel, or
    as in the code if its probability exceeds one half."""
    class_weighting: Literal["auto", "on", "off"] = setting("auto", source="ours")
    """Make rare classes count more in the cross entropy; 'auto' does so unless every
    image has a full mask, since strokes cover classes unevenly."""
    second_rate: float = setting(0.5, gt=0, le=1, step=0.1, source="paper")
    """Learning rate of the second stage, as a share of the first's."""
    third_rate: float = setting(0.2, gt=0, le=1, step=0.1, source="paper")
    """Learning rate of the third stage, as a share of the first's."""
    unpainted: Literal["tagged", "all", "none"] = setting("tagged", source="ours")
    """Images without paint that are learned from: those with a scene or classes
    tagged; all, which are kept in step only; or none."""
    min_size: int = setting(0, ge=0, le=1_000_000, step=1, source="ours", unit="pixels")
    """Smaller predicted objects are dropped."""
    learning_rate: float = setting(
        1e-4, gt=0, le=1, step=1e-5, source="paper", unit="per step", simple=True
    )
    """Step size of the Adam optimiser in the first stage."""
    weight_decay: float = setting(1e-4, ge=0, le=1, step=1e-5, source="paper")
    """Pull of the weights towards zero."""


SETTINGS = TaskDecompositionSettings

_SEGMENTATION = {"classes": False, "synchronise": False, "scenes": "off"}
_BASE = {"encoder": "vgg16", "context": True, "decoder": "plain"}
_RANDOM = {"encoder_weights": NO_WEIGHTS, "norm": "batch"}

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "steps": 450,
        "base_channels": 16,
        "width": 64,
        "hidden": 64,
        "patch": 128,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "decoder": "unet",
        "low_memory": True,
        **_RANDOM,
    },
    "balanced": {
        "steps": 1500,
        "base_channels": 32,
        "width": 128,
        "hidden": 128,
        "patch": 192,
        "batch_size": 6,
        "learning_rate": 5e-4,
        "decoder": "unet",
        "low_memory": True,
        **_RANDOM,
    },
    "paper": {
        "steps": 335_000,
        "patch": 1024,
        "batch_size": 1,
        "normalisation": "zscore",
        "rotate": 0.0,
        "rescale": 1.0,
        "average": 0.0,
    },
}
PRESETS_3D: dict[str, dict[str, Any]] = {
    "fast": {
        "base_channels": 12,
        "width": 24,
        "hidden": 32,
        "patch": 64,
        "patch_depth": 12,
        "batch_size": 2,
    },
    "balanced": {
        "base_channels": 16,
        "width": 32,
        "hidden": 64,
        "patch": 96,
        "patch_depth": 16,
        "batch_size": 2,
    },
    "paper": {
        "base_channels": 32,
        "width": 64,
        "hidden": 128,
        "patch": 144,
        "patch_depth": 19,
        **_RANDOM,
    },
}
VARIANTS: dict[str, dict[str, Any]] = {
    "ResNet34+Unet": {
        "encoder": "resnet34",
        "context": False,
        "decoder": "unet",
        **_SEGMENTATION,
        **_RANDOM,
    },
    "ResNet50+Unet": {
        "encoder": "resnet50",
        "context": False,
        "decoder": "unet",
        **_SEGMENTATION,
        **_RANDOM,
    },
    "VGG16+Unet": {"context": False, "decoder": "unet", **_SEGMENTATION},
    "VGG16+CE+Unet": {"decoder": "unet", **_SEGMENTATION},
    "Wnet+Unet": {"context": False, "decoder": "unet", **_SEGMENTATION},
    "Wnet+CE+Unet": {"decoder": "unet", **_SEGMENTATION},
    "Base": {**_BASE, **_SEGMENTATION},
    "Base+Class": {**_BASE, "classes": True, "synchronise": False, "scenes": "off"},
    "Base+Class+Sync": {
        **_BASE,
        "classes": True,
        "synchronise": True,
        "scenes": "off",
    },
    "Base+Class+Sync+Scene": {
        **_BASE,
        "classes": True,
        "synchronise": True,
        "scenes": "auto",
    },
}
VOLUME_VARIANTS = frozenset({"Wnet+Unet", "Wnet+CE+Unet"})
"""rows that are for 3D images only; Base and what follows are in both"""
PLANE_VARIANTS = frozenset(
    {"ResNet34+Unet", "ResNet50+Unet", "VGG16+Unet", "VGG16+CE+Unet"}
)
"""rows that are for 2D images only"""
