"""A plain U-Net that learns from known pixels only.

With ``labels`` it also gives the rows that recursive approximation is compared to
(METHODS.md section 4): WL learns partial masks as if they were whole objects, SL the
full masks alone, PL masks that GrabCut made of the partial ones.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
)
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.domain.training_settings import pathway_problems
from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.growth.grabcut import grabcut_objects
from napari_mtseg.growth.seeds import with_eroded_full_masks, with_strokes_as_seeds
from napari_mtseg.instances.components import most_probable
from napari_mtseg.losses.masked import (
    balancing_weights,
    masked_cross_entropy,
    masked_dice,
)
from napari_mtseg.methods.baseline.settings import BaselineSettings
from napari_mtseg.methods.fixed_labels import FixedLabels
from napari_mtseg.methods.protocol import (
    ALONE,
    BlockRule,
    Companions,
    Readiness,
    Stage,
    Task,
)
from napari_mtseg.networks.unet import UNet
from napari_mtseg.targets.class_map import image_targets, taught_classes
from napari_mtseg.targets.paint_summary import (
    PaintSummary,
    shared_notices,
    shared_problems,
)


class Baseline(FixedLabels):
    """U-Net with a masked cross entropy and Dice loss."""

    key: ClassVar[str] = "baseline"

    def __init__(self, settings: BaselineSettings, task: Task) -> None:
        self.settings = settings
        self.task = task

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Return none: there is nothing beside the class map."""
        return ()

    def adapted(self, paint: PaintSummary) -> BaselineSettings:
        """Return the settings as they are: nothing depends on the paint."""
        return self.settings

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether the paint on the training images is enough, and what to know."""
        s, n_classes = self.settings, self.task.n_classes
        problems = shared_problems(
            paint,
            n_classes=n_classes,
            needs_background=s.labels not in {"partial", "grabcut"},
        )
        if not problems and s.labels == "full" and paint.n_full == 0:
            problems = (
                "labels=full was asked for but no image has a complete region. Mark "
                "one, or set labels=all.",
            )
        problems = problems or pathway_problems(s.pathway, s.levels)
        return Readiness(
            problems=problems,
            notices=shared_notices(
                paint, n_classes=n_classes, names=self.task.class_names
            ),
        )

    def start(
        self,
        annotation: Annotation,
        *,
        pixels: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> Annotation:
        """Return the annotation with the labels that were asked for."""
        if self.settings.labels == "full":
            return _with_full_only(annotation)
        if self.settings.labels == "partial":
            seeds = with_eroded_full_masks(
                with_strokes_as_seeds(annotation), rng=rng, spacing=self.task.spacing
            )
            return _as_whole_objects(seeds, seeds.partial.objects)
        if self.settings.labels == "grabcut" and not annotation.has_full:
            seeds = with_strokes_as_seeds(annotation)
            masks = grabcut_objects(
                np.asarray(pixels),
                seeds.partial.objects,
                rng=rng,
                spacing=self.task.spacing,
            )
            return _as_whole_objects(seeds, masks)
        return annotation

    def stages(self) -> tuple[Stage, ...]:
        """Return the one stage."""
        return (Stage(name="training", steps=self.settings.steps),)

    def network(self) -> nn.Module:
        """Make a U-Net with random weights."""
        s = self.settings
        return UNet(
            self.task.n_channels,
            self.task.n_classes + 1,
            ndim=self.task.ndim,
            base=s.base_channels,
            levels=s.levels,
            norm=s.norm,
            slope=s.slope,
            pools=pool_factors(self.task.spacing, s.levels),
            high_resolution=s.pathway,
            high_resolution_width=s.pathway_width or None,
            dropout=s.dropout,
            dropout_place=s.dropout_place,
        )

    def targets(self, annotation: Annotation, *, painted: Annotation) -> ImageTargets:
        """Class map and weights; background that follows from the tags weighs less."""
        classes, weights = taught_classes(annotation, spacing=self.task.spacing)
        maps: dict[str, NDArray[Any]] = {"classes": classes, "weight": weights}
        return image_targets(annotation, maps, known=classes)

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Cross entropy and Dice loss over known pixels."""
        logits = network(batch.image)["segmentation"]
        classes = batch.targets["classes"]
        n_outputs = logits.shape[1]
        balance = (
            balancing_weights(classes, n_outputs)
            if self.settings.class_weighting
            else None
        )
        terms = {
            "cross_entropy": masked_cross_entropy(
                logits, classes, weight=batch.targets["weight"], class_weight=balance
            )
        }
        if self.settings.dice_weight > 0:
            dice = masked_dice(logits.softmax(dim=1), classes)
            terms["dice"] = self.settings.dice_weight * dice
        return terms

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Most probable class per pixel; connected regions are objects."""
        return most_probable(outputs["segmentation"], min_size=self.settings.min_size)

    def block_rule(self) -> BlockRule:
        """Join what is connected: exact."""
        s = self.settings
        whole = Baseline(s.changed({"min_size": 0}), self.task)
        return BlockRule(
            interpret=whole.interpret,
            margin=(0,) * self.task.ndim,
            min_size=s.min_size,
        )


def _with_full_only(annotation: Annotation) -> Annotation:
    nothing = np.zeros(annotation.shape, np.uint32)
    return replace(
        annotation,
        partial=ObjectMasks(objects=nothing, class_of={}),
        scribbles=np.zeros(annotation.shape, np.uint8),
        tags=Tags(),
    )


def _as_whole_objects(
    annotation: Annotation, objects: NDArray[np.uint32]
) -> Annotation:
    """Return full masks of ``objects``; the rest of the image becomes background."""
    if not objects.any():
        return _with_full_only(replace(annotation, complete=CompleteRegion()))
    full = ObjectMasks(objects=objects, class_of=annotation.partial.class_of)
    return _with_full_only(
        replace(annotation, full=full, complete=CompleteRegion(whole=True))
    )


METHOD = Baseline
