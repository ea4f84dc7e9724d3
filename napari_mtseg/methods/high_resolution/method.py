"""HMEDN: high-resolution pathways, boundary regression and a difficulty-guided loss.

For blurry boundaries: an encoder-decoder with dense blocks whose decoder also sees a
pathway of dilated convolutions that was never pooled (further), a head that regresses a
smooth map of the boundaries, and a cross entropy that weighs pixels near them
(S. Zhou, D. Nie, E. Adeli, J. Yin, J. Lian, D. Shen, "High-Resolution Encoder-Decoder
Networks for Low-Contrast Medical Image Segmentation", IEEE Transactions on Image
Processing, 2020; METHODS.md section 3).

Departures: widths, fusion and both normalisations are derived or ours, the text does
not give them; boundaries are inner ones unless Canny's are asked for; weak labels,
which the paper does not have, weigh all pixels alike and teach the boundary only where
it is sure.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.targets import IGNORE, ImageTargets
from napari_mtseg.instances.components import separate_objects
from napari_mtseg.instances.islands import without_islands
from napari_mtseg.instances.watershed import watershed_objects
from napari_mtseg.losses.masked import balancing_weights, masked_cross_entropy
from napari_mtseg.losses.regression import masked_squared_error
from napari_mtseg.methods.fixed_labels import FixedLabels
from napari_mtseg.methods.high_resolution.architecture import network_of
from napari_mtseg.methods.high_resolution.readiness import adapted, readiness
from napari_mtseg.methods.high_resolution.settings import HighResolutionSettings
from napari_mtseg.methods.protocol import (
    ALONE,
    BlockRule,
    Companions,
    Readiness,
    Stage,
    Task,
    block_margin,
)
from napari_mtseg.targets.boundary_maps import difficulty_map
from napari_mtseg.targets.boundary_targets import boundary_target, difficulty_target
from napari_mtseg.targets.class_map import image_targets, taught_classes
from napari_mtseg.targets.nuclei_maps import nuclei_targets
from napari_mtseg.targets.paint_summary import PaintSummary

NUCLEI_HEADS = ("border", "marker")

BLOCK_REACH = {2: 128, 3: 32}
"""pixels around a block in which islands and nuclei are seen whole, by the number of
axes (ours)"""

POWERS = {"frequency": 1.0, "root": 0.5}
"""class weighting -> power of the frequency by which a class counts less"""


class HighResolution(FixedLabels):
    """A class map with its boundaries, from features of high resolution."""

    key: ClassVar[str] = "high_resolution"

    def __init__(self, settings: HighResolutionSettings, task: Task) -> None:
        self.settings = settings
        self.task = task

    @property
    def own_maps(self) -> tuple[str, ...]:
        """Maps of a prediction that this method adds."""
        s = self.settings
        return (
            *(("boundary",) if s.contour else ()),
            *(("difficulty",) if s.difficulty else ()),
            *(NUCLEI_HEADS if s.nuclei else ()),
        )

    def readiness(self, paint: PaintSummary) -> Readiness:
        """Tell whether the paint on the training images is enough, and what to know."""
        return readiness(paint, self.settings, self.task)

    def adapted(self, paint: PaintSummary) -> HighResolutionSettings:
        """Return the settings with the weight of boundaries decided by the paint."""
        return adapted(paint, self.settings)

    def stages(self) -> tuple[Stage, ...]:
        """Return the one stage."""
        return (Stage(name="training", steps=self.settings.steps),)

    def targets(self, annotation: Annotation, *, painted: Annotation) -> ImageTargets:
        """Class map, weights near boundaries, boundaries, borders and cores."""
        s, spacing = self.settings, self.task.spacing
        classes, weights = taught_classes(annotation, spacing=spacing)
        if s.difficulty:
            weights = weights * difficulty_target(
                annotation,
                weights=self._difficulty_weights(),
                delta=s.difficulty_width,
                spacing=spacing,
            )
        maps: dict[str, NDArray[Any]] = {"classes": classes, "weight": weights}
        if s.contour:
            maps["boundary"], maps["boundary_known"] = boundary_target(
                annotation, delta=s.contour_width, spacing=spacing, edges=s.edges
            )
        if s.nuclei:
            maps |= nuclei_targets(annotation, width=s.border_width, spacing=spacing)
        return image_targets(annotation, maps, known=classes)

    def network(self) -> nn.Module:
        """Make the network with random weights."""
        heads = {"segmentation": self.task.n_classes + 1}
        if self.settings.contour:
            heads["boundary"] = 1
        if self.settings.nuclei:
            heads |= dict.fromkeys(NUCLEI_HEADS, 2)
        return network_of(self.settings, self.task, heads)

    def losses(
        self,
        network: nn.Module,
        batch: Batch,
        progress: float,
        companions: Companions = ALONE,
    ) -> dict[str, Tensor]:
        """Cross entropy, at the end of the pathway too, and squared boundary error."""
        s, logits = self.settings, network(batch.image)
        depth = logits["segmentation"].shape[2]
        targets = {k: _centre_planes(t, depth) for k, t in batch.targets.items()}
        terms = {
            "segmentation": self._segmentation_loss(logits["segmentation"], targets)
        }
        if "auxiliary" in logits and s.deep_supervision > 0:
            terms["pathway"] = s.deep_supervision * self._segmentation_loss(
                logits["auxiliary"], targets
            )
        if s.contour:
            terms["boundary"] = s.contour_weight * masked_squared_error(
                logits["boundary"][:, 0],
                targets["boundary"],
                targets["boundary_known"] != IGNORE,
            )
        for name in NUCLEI_HEADS if s.nuclei else ():
            terms[name] = masked_cross_entropy(
                logits[name],
                targets[name],
                class_weight=balancing_weights(targets[name], 2),
            )
        return terms

    def interpret(self, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
        """Most probable class per pixel; islands are filled, objects separated."""
        s, probabilities = self.settings, outputs["segmentation"]
        classes = probabilities.argmax(axis=0).astype(np.uint8)
        if s.fill_islands:
            classes = without_islands(classes)
        maps: dict[str, NDArray[Any]] = {}
        if s.nuclei:
            maps = {n: outputs[n][1].astype(np.float16) for n in NUCLEI_HEADS}
            instances, class_of = watershed_objects(
                classes,
                maps["border"] > 0.5,
                maps["marker"] > 0.5,
                min_marker=s.min_marker,
                min_size=s.min_size,
                spacing=self.task.spacing,
            )
        else:
            instances, class_of = separate_objects(classes, min_size=s.min_size)
        if s.min_size > 0:
            classes = np.where(instances > 0, classes, np.uint8(0))
        if "boundary" in outputs:
            maps["boundary"] = outputs["boundary"][0].clip(0, 1).astype(np.float16)
        if s.difficulty:
            maps["difficulty"] = difficulty_map(
                instances,
                class_of,
                weights=self._difficulty_weights(),
                delta=s.difficulty_width,
                spacing=self.task.spacing,
            ).astype(np.float16)
        return Prediction(
            classes=classes,
            probabilities=probabilities.astype(np.float16),
            instances=instances,
            class_of=class_of,
            maps=maps,
        )

    def block_rule(self) -> BlockRule:
        """Join what is connected: exact; a margin for islands and nuclei.

        An island is filled as on the whole image if the object around it, and a
        nucleus is cut as there if the body that it lies in, is smaller than the
        margin. The difficulty map needs joined objects and is not to be had.
        """
        s, ndim = self.settings, self.task.ndim
        margin = (0,) * ndim
        if s.nuclei or s.fill_islands:
            margin = block_margin(self.task.spacing, reach=BLOCK_REACH[ndim])
        changed = s.changed({"min_size": 0, "difficulty": False})
        whole = HighResolution(changed, self.task)
        return BlockRule(
            interpret=whole.interpret,
            margin=margin,
            min_size=s.min_size,
            missing_maps=("difficulty",) if s.difficulty else (),
        )

    def _segmentation_loss(
        self, logits: Tensor, targets: Mapping[str, Tensor]
    ) -> Tensor:
        """Equation 5 where pixels are weighed, equation 3 where classes are."""
        classes, balance = targets["classes"], None
        power = POWERS.get(self.settings.class_weighting)
        if power is not None:
            balance = balancing_weights(classes, logits.shape[1], power=power)
        return masked_cross_entropy(
            logits, classes, weight=targets["weight"], class_weight=balance
        )

    def _difficulty_weights(self) -> dict[int, float]:
        weight = self.settings.difficulty_weight
        return dict.fromkeys(range(1, self.task.n_classes + 1), weight)


def _centre_planes(target: Tensor, depth: int) -> Tensor:
    """Return the planes that are answered for: of several slices, the middle one."""
    start = (target.shape[1] - depth) // 2
    return target[:, start : start + depth]


METHOD = HighResolution
