"""Task decomposition: segmentation, classes and scene learned together, kept in step.

A network parts after its context ensemble into three pairs of tasks: what segmentation
shares with classes, with the scene, and what these two share. Classes are a vector that
says what occurs in a patch; from the second stage on they follow what the segmentation
shows, by a loss that reaches the class branch and the trunk alone; in the third stage
the scene is learned as well
(X. Ren, S. Ahmad, L. Zhang, L. Xiang, D. Nie, F. Yang, Q. Wang, D. Shen, "Task
decomposition and synchronization for semantic biomedical image segmentation", IEEE
Transactions on Image Processing, 2020; METHODS.md section 1).

Departures: a mean over eligible classes instead of the code's sum; a ReLU between the
two layers of a head; images are normalised each on its own, not by the statistics of
ImageNet; weak labels, which the paper does not have, teach what occurs but not what is
missing, unless tags say it.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.errors import ModelError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import IGNORE, ImageTargets
from napari_mtseg.instances.components import most_probable
from napari_mtseg.losses.masked import (
    balancing_weights,
    masked_cross_entropy,
    masked_iou,
)
from napari_mtseg.losses.presence import (
    presence_counts,
    presence_loss,
    present_classes,
    scene_loss,
    synchronisation_loss,
)
from napari_mtseg.methods.fixed_labels import FixedLabels
from napari_mtseg.methods.protocol import (
    ALONE,
    BlockRule,
    Companions,
    Readiness,
    Stage,
    Task,
    stage_at,
)
from napari_mtseg.methods.task_decomposition.architecture import network_of
from napari_mtseg.methods.task_decomposition.readiness import (
    adapted,
    learns_scenes,
    readiness,
    takes_weights,
)
from napari_mtseg.methods.task_decomposition.settings import (
    TaskDecompositionSettings,
)
from napari_mtseg.networks.vgg import from_torchvision
from napari_mtseg.storage.vgg16_weights import IMAGENET, vgg16_weights
from napari_mtseg.targets.class_map import image_targets, taught_classes
from napari_mtseg.targets.paint_summary import PaintSummary
from napari_mtseg.targets.presence import presence_facts
from napari_mtseg.uncertainty.disagreement import disagreement

LEAST_KNOWN = 0.01
"""share of known pixels of a batch below which overlap is not learned (METHODS.md
section 6)"""

SYNCHRONISED_FROM, SCENES_FROM = 1, 2
"""stages, from 0"""


class TaskDecomposition(FixedLabels):
    """A class map with the classes that occur and the scene of the image."""

    key: ClassVar[str] = "task_decomposition"

    def __init__(self, settings: TaskDecompositionSettings, task: Task) -> None:
        self.settings = settings
        self.task = task

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Return none: what is added is about the image as a whole."""
        return ()

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether paint and tags are enough, and what to know."""
        return readiness(paint, self.settings, self.task)

    def adapted(self, paint: PaintSummary) -> TaskDecompositionSettings:
        """Return the settings with scenes, first weights and norm decided."""
        has_weights = bool(self.first_weights())
        return adapted(paint, self.settings, self.task, has_weights=has_weights)

    def uses(self, annotation: Annotation) -> bool:
        """Tell whether there is paint, or a tag that is learned."""
        unpainted = self.settings.unpainted
        if not annotation.is_empty or unpainted == "none":
            return not annotation.is_empty
        tags = annotation.tags
        learns_scene = learns_scenes(self.settings, self.task)
        has_tag = self.settings.classes and bool(tags.present)
        return (
            (unpainted == "all" and self.settings.synchronise)
            or has_tag
            or (learns_scene and tags.scene is not None)
        )

    def stages(self) -> tuple[Stage, ...]:
        """Return the paper's three training steps, of equal length."""
        s = self.settings
        first = "segmentation and classes" if s.classes else "segmentation"
        second = f"{first} in step" if s.synchronise else first
        third = second
        if learns_scenes(s, self.task):
            third = second.replace("segmentation", "segmentation, scene", 1)
        rates = (1.0, s.second_rate, s.third_rate)
        names = (
            f"stage {i} of 3: {n}" for i, n in enumerate((first, second, third), 1)
        )
        ends = [0, s.steps // 3, 2 * s.steps // 3, s.steps]
        return tuple(
            Stage(name=name, steps=end - start, learning_rate=rate)
            for name, rate, (start, end) in zip(
                names, rates, pairwise(ends), strict=True
            )
        )

    def network(self) -> nn.Module:
        """Make the network with random weights."""
        return network_of(self.settings, self.task)

    def missing_weights(self) -> str | None:
        """Return why the published weights of the encoder cannot be had.

        Raises
        ------
        ModelError
            If a file of weights was named and is missing or no such file.
        """
        if not takes_weights(self.settings, self.task):
            return None
        return self._published if isinstance(self._published, str) else None

    def first_weights(self) -> Mapping[str, Tensor]:
        """Return the published weights of the encoder, if it starts from them."""
        if not takes_weights(self.settings, self.task):
            return {}
        published = self._published
        if isinstance(published, str):
            return {}
        named = from_torchvision(published)
        return {f"encoder.{name}": value for name, value in named.items()}

    def targets(self, annotation: Annotation, *, painted: Annotation) -> ImageTargets:
        """Class map with weights; scene and settled classes of the whole image."""
        classes, weights = taught_classes(annotation, spacing=self.task.spacing)
        maps: dict[str, NDArray[Any]] = {"classes": classes, "weight": weights}
        facts = presence_facts(annotation, n_classes=self.task.n_classes)
        facts["extent"] = np.array(annotation.shape, np.int64)
        return image_targets(annotation, maps, known=classes, facts=facts)

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Segmentation, classes, synchronisation and scene, as the stage has them."""
        s, stage = self.settings, stage_at(self.stages(), progress)
        answers = network(batch.image)
        segmentation = answers["segmentation"]
        terms = self._segmentation_losses(segmentation, batch)
        if s.classes:
            loss = self._presence_loss(answers["classes"], batch)
            terms["classes"] = s.class_weight * loss
        if s.synchronise and stage >= SYNCHRONISED_FROM:
            terms["synchronisation"] = s.sync_weight * synchronisation_loss(
                answers["classes"], segmentation, rule=s.shown
            )
        if learns_scenes(s, self.task) and stage >= SCENES_FROM:
            terms["scene"] = s.scene_weight * scene_loss(
                answers["scenes"], batch.facts["scene"], kind=s.scene_loss
            )
        return terms

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Most probable class per pixel; classes and scene of the image as a whole."""
        found = most_probable(outputs["segmentation"], min_size=self.settings.min_size)
        occurring = outputs.get("classes", np.empty(0))
        present = {c: float(p) for c, p in enumerate(occurring) if c > 0}
        scores = {}
        if present:
            scores["disagreement"] = disagreement(present, found.classes)
        return replace(
            found,
            present=present,
            scenes=tuple(float(p) for p in outputs.get("scenes", ())),
            scores=scores,
        )

    def block_rule(self) -> BlockRule:
        """Join what is connected: exact; classes and scene are of all windows."""
        s = self.settings
        whole = TaskDecomposition(s.changed({"min_size": 0}), self.task)
        return BlockRule(
            interpret=whole.interpret,
            margin=(0,) * self.task.ndim,
            min_size=s.min_size,
        )

    def _segmentation_losses(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Equation 1: cross entropy and intersection over union, of known pixels."""
        s, classes = self.settings, batch.targets["classes"]
        balance = None
        if s.class_weighting == "on":
            balance = balancing_weights(classes, logits.shape[1])
        terms = {
            "cross_entropy": s.entropy_weight
            * masked_cross_entropy(
                logits, classes, weight=batch.targets["weight"], class_weight=balance
            )
        }
        known_share = (classes != IGNORE).float().mean()
        if s.iou_weight > 0:
            overlap = masked_iou(
                logits.softmax(dim=1), classes, reduction=s.iou_reduction
            )
            terms["overlap"] = s.iou_weight * overlap * (known_share >= LEAST_KNOWN)
        return terms

    def _presence_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Binary cross entropy over classes that are known to occur, or not to."""
        classes, facts = batch.targets["classes"], batch.facts
        shown = present_classes(classes, logits.shape[1])
        counts = presence_counts(classes, shown, facts["settled"] == 1)
        size = facts["extent"].new_tensor(classes.shape[1:])
        shows_all = (facts["extent"] <= size).all(dim=1, keepdim=True)
        tagged = shows_all & (facts["tagged"] == 1)
        return presence_loss(logits, shown | tagged, counts | tagged)

    @cached_property
    def _published(self) -> dict[str, Tensor] | str:
        """The published weights of the encoder, or why there are none."""
        try:
            return vgg16_weights(self.settings.encoder_weights)
        except ModelError as error:
            if self.settings.encoder_weights != IMAGENET:
                raise
            return f"The encoder starts from random weights, with batch norm. {error}"


METHOD = TaskDecomposition
