"""Joint shape learning: the mask with its contour or its distance map.

One U-Net whose last maps feed parallel 3x3 heads, so that the shape costs almost no
parameters (B. Murugesan, K. Sarveswaran, S. M. Shankaranarayana, K. Ram, J. Joseph,
M. Sivaprakasam, "Joint shape learning and segmentation for medical images using a
minimalistic deep network", arXiv:1901.08824; METHODS.md section 2).

Departures: distances are cut off at a reach (the paper's normalisation is not stated);
parameter-free instance norm by default (the paper names none); weak labels, which the
paper does not have, give intervals of the distance and hide what the contour could be.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.instances.components import separate_objects
from napari_mtseg.instances.ellipses import as_ellipses
from napari_mtseg.losses.masked import balancing_weights, masked_cross_entropy
from napari_mtseg.losses.regression import interval_loss
from napari_mtseg.methods.fixed_labels import FixedLabels
from napari_mtseg.methods.joint_shape.readiness import readiness
from napari_mtseg.methods.joint_shape.settings import JointShapeSettings
from napari_mtseg.methods.protocol import (
    ALONE,
    BlockRule,
    Companions,
    Readiness,
    Stage,
    Task,
)
from napari_mtseg.networks.joint_unet import JointUNet, joint_pools
from napari_mtseg.targets.class_map import image_targets, taught_classes
from napari_mtseg.targets.contour_map import contour_radius, contour_target
from napari_mtseg.targets.interval_distance import distance_targets
from napari_mtseg.targets.paint_summary import PaintSummary


class JointShape(FixedLabels):
    """A mask, and its contour and distance map as far as they are asked for."""

    key: ClassVar[str] = "joint_shape"

    def __init__(self, settings: JointShapeSettings, task: Task) -> None:
        self.settings = settings
        self.task = task

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Maps of a prediction that this method adds."""
        s = self.settings
        return ("contour_probability",) * s.has_contour + (
            "shape_distance",
        ) * s.has_distance

    def adapted(self, paint: PaintSummary) -> JointShapeSettings:
        """Return the settings with the weighing of classes decided by the paint."""
        if self.settings.class_weighting != "auto":
            return self.settings
        weighting = "off" if paint.is_exact else "on"
        return self.settings.changed({"class_weighting": weighting})

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether the paint on the training images is enough, and what to know."""
        return readiness(paint, self.settings, self.task)

    def stages(self) -> tuple[Stage, ...]:
        """Return the one stage."""
        return (Stage(name="training", steps=self.settings.steps),)

    def targets(self, annotation: Annotation, *, painted: Annotation) -> ImageTargets:
        """Class map, and what is known of the contour and of each class's distance."""
        s, spacing = self.settings, self.task.spacing
        classes, weights = taught_classes(annotation, spacing=spacing)
        maps: dict[str, NDArray[Any]] = {"classes": classes, "weight": weights}
        if s.has_contour:
            maps["contour"] = contour_target(
                annotation,
                radius=s.contour_radius or contour_radius(annotation.shape),
                spacing=spacing,
                border_is_boundary=s.border_is_boundary,
            )
        if s.has_distance:
            bounds = distance_targets(
                annotation,
                n_classes=self.task.n_classes,
                kind=s.distance,
                rule=s.distance_norm,
                reach=s.reach,
                spacing=spacing,
                border_is_boundary=s.border_is_boundary,
            )
            for n_class, (low, high) in bounds.items():
                maps[f"distance_low_{n_class}"] = low
                maps[f"distance_high_{n_class}"] = high
        return image_targets(annotation, maps, known=classes)

    def network(self) -> nn.Module:
        """Make the network with random weights."""
        s = self.settings
        heads = {"segmentation": self.task.n_classes + 1}
        if s.has_contour:
            heads["contour"] = 2
        if s.has_distance:
            heads["distance"] = self.task.n_classes
        return JointUNet(
            self.task.n_channels,
            heads,
            activations={"distance": "sigmoid"},
            two_decoders=s.decoders == 2,
            ndim=self.task.ndim,
            base=s.base_channels,
            levels=s.levels,
            norm=s.norm,
            affine=s.affine,
            pools=joint_pools(self.task.spacing, s.levels),
            high_resolution=s.pathway,
            high_resolution_width=s.pathway_width or None,
            dropout=s.dropout,
            dropout_place=s.dropout_place,
        )

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Cross entropy of mask and contour, squared error of the distance map."""
        s, logits, targets = self.settings, network(batch.image), batch.targets
        terms = {
            "mask": s.mask_weight
            * masked_cross_entropy(
                logits["segmentation"],
                targets["classes"],
                weight=targets["weight"],
                class_weight=self._balance(targets["classes"], self.task.n_classes + 1),
            )
        }
        if s.has_contour:
            terms["contour"] = s.contour_weight * masked_cross_entropy(
                logits["contour"],
                targets["contour"],
                class_weight=self._balance(targets["contour"], 2),
            )
        if s.has_distance:
            low, high = (self._bound(side, batch) for side in ("low", "high"))
            terms["distance"] = s.distance_weight * interval_loss(
                logits["distance"].sigmoid(), low, high
            )
        return terms

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Most probable class per pixel; connected regions are objects."""
        s, probabilities = self.settings, outputs["segmentation"]
        classes = probabilities.argmax(axis=0).astype(np.uint8)
        if s.ellipses and self.task.ndim == 2:
            classes = as_ellipses(classes)
        instances, class_of = separate_objects(classes, min_size=s.min_size)
        if s.min_size > 0:
            classes = np.where(instances > 0, classes, np.uint8(0))
        maps: dict[str, NDArray[Any]] = {}
        if "contour" in outputs:
            maps["contour_probability"] = outputs["contour"][1].astype(np.float16)
        if "distance" in outputs:
            maps["shape_distance"] = self._pixels(outputs["distance"].min(axis=0))
        return Prediction(
            classes=classes,
            probabilities=probabilities.astype(np.float16),
            instances=instances,
            class_of=class_of,
            maps=maps,
        )

    def block_rule(self) -> BlockRule:
        """Join what is connected: exact; no ellipses, which need the whole image."""
        s = self.settings
        refusal = (
            "This model draws each class as one ellipse that fits the whole image "
            "(ellipses=true), which cannot be done in blocks. Predict the image whole, "
            "or a smaller copy of it."
        )
        whole = JointShape(s.changed({"min_size": 0}), self.task)
        return BlockRule(
            interpret=whole.interpret,
            margin=(0,) * self.task.ndim,
            min_size=s.min_size,
            refusal=refusal if s.ellipses and self.task.ndim == 2 else None,
        )

    def _balance(self, target: Tensor, n_classes: int) -> Tensor | None:
        if self.settings.class_weighting != "on":
            return None
        return balancing_weights(target, n_classes)

    def _bound(self, side: str, batch: Batch) -> Tensor:
        """Return (N, n_classes, [Z,] Y, X) one bound of the distances, in 0..1.

        Distances that are cut off are in units of the reach, and an enlarged patch has
        larger ones; those relative to the image's largest stay as they are.
        """
        names = [f"distance_{side}_{c}" for c in range(1, self.task.n_classes + 1)]
        bound = torch.stack([batch.targets[name] for name in names], dim=1)
        if self.settings.distance_norm != "trunc":
            return bound
        enlarged = bound * batch.magnification.view(-1, *[1] * (bound.dim() - 1))
        if self.settings.distance == "D3":
            return (1 + enlarged.clamp(-1, 1)) / 2
        return enlarged.clamp(0, 1)

    def _pixels(self, distance: NDArray[np.float32]) -> NDArray[np.float16]:
        """Return a learned distance in pixels; up to 1 where it is relative."""
        s = self.settings
        if s.distance == "D3" and s.distance_norm != "minmax":
            distance = 2 * distance - 1
        reach = s.reach if s.distance_norm == "trunc" else 1.0
        return (distance * reach).astype(np.float16)


METHOD = JointShape
