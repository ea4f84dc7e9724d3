"""Cross-task consistency: mask, distance and doubt agree, without paint too.

A V-Net answers for the mask and for the signed distance to its outline. On images with
and without paint alike, the mask has to agree with the one that the distance map stands
for, once more where passes with dropout are sure of it, and an adversary keeps the
distance maps of images without full masks like those of the others
(S. M. K. Hasan, C. A. Linte, "A multi-task cross-task learning architecture for ad hoc
uncertainty estimation in 3D cardiac MRI image segmentation", Computing in Cardiology,
2021; METHODS.md section 5). Its switches also give V-Net, UA-MT, SASSNet and DTC.

Departures: distance maps are those of the whole image, not of each patch; the adversary
ends in one sigmoid; weak labels, which the paper does not have, bound the distance map
from both sides; several classes have a distance map each; patches are not turned by
quarters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import IGNORE, ImageTargets
from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.instances.components import most_probable
from napari_mtseg.instances.islands import largest_objects
from napari_mtseg.losses.adversarial import (
    adversarial_cross_entropy,
    adversarial_cross_entropy_fooling,
    geman_mcclure,
    geman_mcclure_fooling,
)
from napari_mtseg.losses.cross_task import (
    cross_task_loss,
    doubt_of,
    guidance_loss,
    ramp,
    soft_mask,
    teacher_loss,
    uncertainty_threshold,
)
from napari_mtseg.losses.masked import (
    balancing_weights,
    masked_cross_entropy,
    masked_dice,
)
from napari_mtseg.methods.cross_task.distance import (
    distance_bounds,
    distance_loss,
    signed,
)
from napari_mtseg.methods.cross_task.passes import dropout_passes
from napari_mtseg.methods.cross_task.readiness import adapted, readiness
from napari_mtseg.methods.cross_task.settings import CrossTaskSettings
from napari_mtseg.methods.fixed_labels import FixedLabels
from napari_mtseg.methods.protocol import (
    ALONE,
    Adversary,
    BlockRule,
    Companions,
    Readiness,
    Stage,
    Task,
)
from napari_mtseg.networks.discriminator import Discriminator
from napari_mtseg.networks.vnet import VNet
from napari_mtseg.targets.class_map import (
    image_targets,
    taught_classes,
    undisputed_complete,
)
from napari_mtseg.targets.paint_summary import PaintSummary

ADVERSARY_BETAS = (0.9, 0.99)
"""of the adversary's Adam [code: SASSNet]"""


class CrossTask(FixedLabels):
    """A mask and a signed distance map that have to agree."""

    key: ClassVar[str] = "cross_task"

    def __init__(self, settings: CrossTaskSettings, task: Task) -> None:
        self.settings = settings
        self.task = task

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Maps of a prediction that this method adds."""
        return ("shape_distance",) if self.settings.distance else ()

    def adapted(self, paint: PaintSummary) -> CrossTaskSettings:
        """Return the settings with all that is 'auto' decided by the paint."""
        return adapted(paint, self.settings)

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether the paint on the training images is enough, and what to know."""
        return readiness(paint, self.settings, self.task)

    def uses(self, annotation: Annotation) -> bool:
        """Tell whether there is paint, or images without it are learned from too."""
        return not annotation.is_empty or self.settings.learns_unlabelled

    def stages(self) -> tuple[Stage, ...]:
        """Return the one stage."""
        return (Stage(name="training", steps=self.settings.steps),)

    def targets(self, annotation: Annotation, *, painted: Annotation) -> ImageTargets:
        """Class map, bounds of each class's distance, and which images are labelled."""
        classes, weights = taught_classes(annotation, spacing=self.task.spacing)
        maps: dict[str, NDArray[Any]] = {"classes": classes, "weight": weights}
        if self.settings.distance:
            maps |= distance_bounds(annotation, self.settings, self.task)
        has_masks = annotation.has_full or annotation.has_partial
        is_labelled = bool(undisputed_complete(annotation).all())
        facts: dict[str, NDArray[Any]] = {
            "labelled": np.array(is_labelled, np.int64),
            "has_masks": np.array(has_masks, np.int64),
        }
        targets = image_targets(annotation, maps, known=classes, facts=facts)
        if not is_labelled and targets.stratum == "full":
            # A complete region alone: no distance map of it can count as labelled.
            return replace(targets, stratum="weak")
        return targets

    def network(self) -> nn.Module:
        """Make a V-Net with random weights."""
        s, n_classes = self.settings, self.task.n_classes
        heads = {"segmentation": n_classes + 1}
        if s.distance:
            heads["distance"] = n_classes
        return VNet(
            self.task.n_channels,
            heads,
            activations={"distance": "sigmoid"},
            binary=("segmentation",) if n_classes == 1 else (),
            ndim=self.task.ndim,
            base=s.base_channels,
            levels=s.levels,
            norm=s.norm,
            pools=pool_factors(self.task.spacing, s.levels),
            separate_decoders=s.decoders == 2 and s.distance,
            dropout=s.dropout,
            dropout_place=s.dropout_place,
        )

    def adversary(self) -> Adversary | None:
        """Make the network that tells distance maps of labelled images from others."""
        s = self.settings
        if s.adversary == "none":
            return None
        return Adversary(
            network=Discriminator(
                self.task.n_classes,
                self.task.n_channels,
                ndim=self.task.ndim,
                base=s.adversary_channels,
            ),
            learning_rate=s.adversary_rate,
            betas=ADVERSARY_BETAS,
        )

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Return what paint teaches, and what the answers have to agree on."""
        s, rising = self.settings, ramp(progress, self.settings.ramp_steps)
        answers = network(batch.image)
        terms = self._mask_losses(answers["segmentation"], batch)
        p = answers["segmentation"].softmax(dim=1)
        limit = uncertainty_threshold(progress, p.shape[1])
        if s.distance:
            distance = signed(answers["distance"])
            terms["distance"] = s.distance_weight * distance_loss(distance, batch, s)
            if s.cross:
                loss = cross_task_loss(p[:, 1:], distance, steepness=s.steepness)
                terms["cross_task"] = rising * s.cross_weight * loss
            if s.guidance:
                doubt = self._doubt(network, batch.image, companions)
                mask = soft_mask(distance, steepness=s.steepness)
                loss = guidance_loss(p[:, 1:], mask, doubt, limit)
                terms["guidance"] = rising * s.guidance_weight * loss
            if s.adversary != "none":
                terms |= self._adversary_losses(distance, batch, companions, rising)
        if s.teacher:
            loss = self._teacher_loss(p, batch, companions, limit)
            terms["teacher"] = rising * s.teacher_weight * loss
        return terms

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Most probable class per pixel; connected regions are objects."""
        s = self.settings
        found = most_probable(outputs["segmentation"], min_size=s.min_size)
        if s.largest:
            found = largest_objects(found)
        if "distance" not in outputs:
            return found
        nearest = 2 * outputs["distance"].min(axis=0) - 1
        scale = s.reach if s.distance_norm == "trunc" else 1.0
        return replace(
            found, maps={"shape_distance": (scale * nearest).astype(np.float16)}
        )

    def block_rule(self) -> BlockRule:
        """Join what is connected: exact, the choice of the largest included."""
        s = self.settings
        whole = CrossTask(s.changed({"min_size": 0, "largest": False}), self.task)
        return BlockRule(
            interpret=whole.interpret,
            margin=(0,) * self.task.ndim,
            min_size=s.min_size,
            only_largest=s.largest,
        )

    def _mask_losses(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Overlap, and cross entropy where it is asked for, of known pixels."""
        s, classes = self.settings, batch.targets["classes"]
        # Strokes cover too little of an object for an overlap (METHODS.md section 6).
        has_masks = batch.facts["has_masks"].view(-1, *[1] * (classes.dim() - 1)) == 1
        of_masks = torch.where(has_masks, classes, IGNORE)
        overlap = masked_dice(logits.softmax(dim=1), of_masks)
        terms = {"overlap": s.overlap_weight * overlap}
        if s.entropy == "on":
            balance = None
            if s.class_weighting == "on":
                balance = balancing_weights(classes, logits.shape[1])
            terms["cross_entropy"] = s.entropy_weight * masked_cross_entropy(
                logits, classes, weight=batch.targets["weight"], class_weight=balance
            )
        return terms

    def _adversary_losses(
        self, distance: Tensor, batch: Batch, companions: Companions, rising: float
    ) -> dict[str, Tensor]:
        """Return what the adversary learns, and the network from its verdict."""
        s, labelled = self.settings, batch.facts["labelled"] == 1
        if companions.adversary is None or companions.judge is None:
            raise ValueError("an adversary is to be misled, but there is none")
        found = companions.adversary(distance.detach(), batch.image)
        terms = {"adversary": self._adversary_objective(found, labelled)}
        # Several processes must have the same terms, whatever patches they drew.
        misled = distance.sum() * 0
        if not labelled.all():
            verdict = companions.judge(distance[~labelled], batch.image[~labelled])
            misled = (
                geman_mcclure_fooling(verdict.sigmoid(), beta=s.beta)
                if s.adversary == "geman_mcclure"
                else adversarial_cross_entropy_fooling(verdict)
            )
        return terms | {"misleading": rising * s.adversary_weight * misled}

    def _adversary_objective(self, found: Tensor, labelled: Tensor) -> Tensor:
        s = self.settings
        if s.adversary == "cross_entropy":
            return adversarial_cross_entropy(found[labelled], found[~labelled])
        told = found.sigmoid()
        return geman_mcclure(told[labelled], told[~labelled], beta=s.beta)

    def _teacher_loss(
        self, p: Tensor, batch: Batch, companions: Companions, limit: float
    ) -> Tensor:
        """Disagreement with the running average on images without full masks."""
        teacher, unlabelled = companions.average, batch.facts["labelled"] == 0
        if teacher is None:
            raise ValueError("teacher is on, but there is no running average")
        if not unlabelled.any():
            return p.sum() * 0
        image = batch.image[unlabelled]
        doubt = self._doubt(teacher, image, companions)
        (told,) = self._passes(teacher, image, companions, n=1)
        return teacher_loss(p[unlabelled], told, doubt, limit)

    def _doubt(
        self, network: nn.Module, image: Tensor, companions: Companions
    ) -> Tensor:
        """Return (N, [Z,] Y, X) doubt in nats about the mask, without gradient."""
        s = self.settings
        passes = self._passes(network, image, companions, n=s.passes)
        return doubt_of(passes, kind=s.doubt)

    def _passes(
        self, network: nn.Module, image: Tensor, companions: Companions, *, n: int
    ) -> Iterator[Tensor]:
        noise, rng = self.settings.noise, companions.rng
        return dropout_passes(network, image, n=n, noise=noise, rng=rng)


METHOD = CrossTask
