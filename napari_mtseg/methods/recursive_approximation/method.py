"""Recursive approximation: partial masks grow to the object boundaries.

Source: "Multi-task deep learning for image segmentation using recursive approximation
tasks"; METHODS.md section 4. A segmentation task learns from a few full masks, an
approximation task from partial masks, and after each iteration the partial masks grow
into what the segmentation task proposes. Departures:

- the growth formula is a reconstruction (the paper's equations 5 and 6 are lost);
- scribbles teach the segmentation task, and foreground strokes are tiny seeds;
- without any full mask the segmentation task learns from weak labels, at a lower beta;
- labels do not grow over the borders of touching full masks;
- a prediction's final growth ends by closing the cuts between touching objects.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import SCRIBBLE_SEPARATOR, Annotation, ObjectMasks
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import BACKGROUND, IGNORE, ImageTargets
from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.growth.contacts import with_contacts_closed
from napari_mtseg.growth.level_set import grow_objects
from napari_mtseg.growth.seeds import with_eroded_full_masks, with_strokes_as_seeds
from napari_mtseg.instances.components import separate_objects
from napari_mtseg.losses.masked import balancing_weights, masked_cross_entropy
from napari_mtseg.methods.fixed_labels import DrawnWeights, NoAdversary
from napari_mtseg.methods.protocol import (
    ALONE,
    BlockRule,
    Companions,
    Readiness,
    Stage,
    Task,
    block_margin,
)
from napari_mtseg.methods.recursive_approximation.readiness import readiness
from napari_mtseg.methods.recursive_approximation.settings import (
    RecursiveApproximationSettings,
)
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.targets.approximation import (
    approximation,
    separators,
    touching_borders,
)
from napari_mtseg.targets.class_map import (
    full_classes,
    image_targets,
    scribbled_classes,
    taught_classes,
)
from napari_mtseg.targets.paint_summary import PaintSummary

BLOCK_REACH = {2: 128, 3: 32}
"""pixels around a block in which proposals are seen whole, by the number of axes
(ours)"""


class RecursiveApproximation(DrawnWeights, NoAdversary):
    """Segmentation and approximation task side by side, and labels that grow."""

    key: ClassVar[str] = "recursive_approximation"

    def __init__(self, settings: RecursiveApproximationSettings, task: Task) -> None:
        self.settings = settings
        self.task = task

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Maps of a prediction that this method adds."""
        separator = ("separator",) if self.settings.separation == "on" else ()
        return ("approximation", "segmentation", *separator)

    def adapted(self, paint: PaintSummary) -> RecursiveApproximationSettings:
        """Decide what is 'auto': the supervision and the separation task."""
        s = self.settings
        supervision = s.supervision
        if supervision == "auto":
            supervision = "full" if paint.n_full else "paint"
        separation = s.separation
        if separation == "auto":
            separation = "on" if paint.n_separated else "off"
        decided: dict[str, Any] = {"supervision": supervision, "separation": separation}
        if not paint.n_full:
            decided["beta"] = min(s.beta, s.beta_without_full)
            decided["beta_last"] = min(s.beta_last, s.beta_without_full)
        return s.changed(decided)

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether the paint on the training images is enough, and what to know."""
        return readiness(paint, self.settings, self.task)

    def start(
        self,
        annotation: Annotation,
        *,
        pixels: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> Annotation:
        """Return iteration 0: strokes become seeds, full masks get simulated ones."""
        return with_eroded_full_masks(
            with_strokes_as_seeds(annotation),
            rng=rng,
            shares=(self.settings.erode_low, self.settings.erode_high),
            spacing=self.task.spacing,
        )

    def uses(self, annotation: Annotation) -> bool:
        """Tell whether any pixel is known."""
        return not annotation.is_empty

    def stages(self) -> tuple[Stage, ...]:
        """Return one stage per iteration; the labels grow after each."""
        s = self.settings
        return tuple(
            Stage(
                name=f"iteration {i} of {s.iterations}",
                steps=(i == s.iterations and s.last_steps)
                or (i == 1 and s.first_steps)
                or s.steps_per_iteration,
                grows=True,
            )
            for i in range(1, s.iterations + 1)
        )

    def network(self) -> nn.Module:
        """Make the two- or three-task network with random weights."""
        s = self.settings
        return RecursiveUNet(
            self.task.n_channels,
            self.task.n_classes + 1,
            multi_task_blocks=min(s.multi_task_blocks, s.levels - 1),
            separator=s.separation == "on",
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
        """Targets of the tasks; IGNORE where an image is not labelled for one."""
        segmentation, weight = self._segmentation(painted)
        approximated = approximation(
            annotation, window=self.settings.window, spacing=self.task.spacing
        )
        maps: dict[str, NDArray[Any]] = {
            "segmentation": segmentation,
            "segmentation_weight": weight,
            "approximation": approximated,
        }
        if self.settings.separation == "on":
            maps["separator"] = separators(
                annotation,
                unknown_within=self.settings.separator_gap,
                spacing=self.task.spacing,
            )
        known = np.where(segmentation != IGNORE, segmentation, approximated)
        return image_targets(annotation, maps, known=known)

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Cross entropy of each task over the pixels that are labelled for it."""
        logits = network(batch.image)
        targets, s = batch.targets, self.settings
        terms = {
            "segmentation": s.segmentation_weight
            * masked_cross_entropy(
                logits["segmentation"],
                targets["segmentation"],
                weight=targets["segmentation_weight"],
            ),
            "approximation": s.approximation_weight
            * masked_cross_entropy(logits["approximation"], targets["approximation"]),
        }
        if s.separation == "on":
            terms["separation"] = s.separation_weight * masked_cross_entropy(
                logits["separator"],
                targets["separator"],
                class_weight=balancing_weights(targets["separator"], 2),
            )
        return terms

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Grow each approximated object into the segmentation, fast."""
        proposal = outputs["segmentation"].argmax(axis=0).astype(np.uint8)
        approximated = outputs["approximation"].argmax(axis=0).astype(np.uint8)
        separator = self._separator(outputs)
        seeds, class_of = separate_objects(
            np.where(separator, np.uint8(0), approximated), connectivity="full"
        )
        inside = proposal != BACKGROUND
        grown = self._grown(
            seeds, inside, self.settings.beta_final, separator=separator
        )
        if separator.any():
            # The border itself belongs to the objects that it separates.
            grown = self._grown(grown, inside, self.settings.beta_final)
        grown = with_contacts_closed(grown, inside)
        instances, class_of = _without_small(grown, class_of, self.settings.min_size)
        masks = ObjectMasks(objects=instances, class_of=class_of)
        return Prediction(
            classes=masks.class_map(),
            probabilities=outputs["segmentation"].astype(np.float16),
            instances=instances,
            class_of=class_of,
            maps={"approximation": approximated, "segmentation": proposal}
            | ({"separator": separator} if "separator" in outputs else {}),
        )

    def block_rule(self) -> BlockRule:
        """Grow with a margin: as on the whole image where a proposal fits into it."""
        s = self.settings
        whole = RecursiveApproximation(s.changed({"min_size": 0}), self.task)
        return BlockRule(
            interpret=whole.interpret,
            margin=block_margin(self.task.spacing, reach=BLOCK_REACH[self.task.ndim]),
            min_size=s.min_size,
        )

    def grow(
        self,
        annotation: Annotation,
        outputs: Mapping[str, NDArray[Any]],
        *,
        iteration: int,
    ) -> Annotation:
        """Enlarge the partial masks towards the segmentation, by one iteration."""
        known = full_classes(annotation)
        strokes = scribbled_classes(annotation.scribbles)
        np.copyto(known, strokes, where=strokes != IGNORE)
        inside = outputs["segmentation"].argmax(axis=0) != BACKGROUND
        inside[known == BACKGROUND] = False
        inside[(known != BACKGROUND) & (known != IGNORE)] = True
        separator = self._separator(outputs)
        separator |= annotation.scribbles == SCRIBBLE_SEPARATOR
        separator |= _full_borders(annotation)
        s = self.settings
        grown = self._grown(
            annotation.partial.objects,
            inside,
            s.beta_last if iteration >= s.iterations - 1 else s.beta,
            separator=separator,
            known_background=known == BACKGROUND,
        )
        return replace(
            annotation,
            partial=ObjectMasks(objects=grown, class_of=annotation.partial.class_of),
        )

    def _segmentation(
        self, painted: Annotation
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return what the segmentation task learns: from paint, never from growth."""
        if self.settings.supervision == "paint":
            return taught_classes(painted, spacing=self.task.spacing)
        target = full_classes(painted)
        if self.settings.strokes_teach:
            strokes = scribbled_classes(painted.scribbles)
            np.copyto(target, strokes, where=strokes != IGNORE)
        return target, np.ones(painted.shape, np.float32)

    def _separator(self, outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        if "separator" not in outputs:
            return np.zeros(outputs["segmentation"].shape[1:], bool)
        return outputs["separator"].argmax(axis=0) == 1

    def _grown(
        self,
        objects: NDArray[np.uint32],
        inside: NDArray[np.bool_],
        beta: float,
        **known: NDArray[np.bool_],
    ) -> NDArray[np.uint32]:
        return grow_objects(
            objects, inside, beta=beta, spacing=self.task.spacing, **known
        )


def _full_borders(annotation: Annotation) -> NDArray[np.bool_]:
    inside = annotation.complete.mask(annotation.shape)
    return touching_borders(annotation.full.objects) & inside


def _without_small(
    objects: NDArray[np.uint32], class_of: Mapping[int, int], min_size: int
) -> tuple[NDArray[np.uint32], dict[int, int]]:
    if min_size == 0:
        return objects, dict(class_of)
    ids, sizes = np.unique(objects, return_counts=True)
    small = ids[(sizes < min_size) & (ids != 0)]
    kept = np.where(np.isin(objects, small), np.uint32(0), objects)
    return kept, {k: v for k, v in class_of.items() if k not in set(small.tolist())}


METHOD = RecursiveApproximation
