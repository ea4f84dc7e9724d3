"""How the prediction of one image among many went: what was found, or what is wrong.

One bad image does not stop the others: it is reported, and the next one follows.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_mtseg.domain.errors import (
    ClusterError,
    LostTaskError,
    MemoryShortageError,
    MtsegError,
    StorageError,
)
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.domain.prediction import ONE_PASS, Prediction
from napari_mtseg.domain.review import known_scores
from napari_mtseg.uncertainty.disagreement import disagreeing_classes
from napari_mtseg.workflows.predict import Model


@dataclass(frozen=True, kw_only=True)
class WholeImage:
    """What a model says of an image as a whole, apart from its maps."""

    scenes: dict[str, float] = field(default_factory=dict)
    """scene -> probability; empty where the method does not tell"""
    present: dict[str, float] = field(default_factory=dict)
    """class -> probability that it occurs; empty where the method does not tell"""
    disagreeing: tuple[str, ...] = ()
    """classes about which ``present`` and the class map disagree"""
    disagreement: float = math.nan
    """how much they do, 0..1; NaN where the method does not tell"""
    doubt: float = math.nan
    """how doubtful the segmentation is, >= 0; NaN where it was predicted in one pass"""

    @property
    def is_told(self) -> bool:
        """True if anything is known: classes, scenes or doubt."""
        return bool(self.scenes or self.present) or math.isfinite(self.doubt)

    @property
    def scene(self) -> str | None:
        """The most probable scene; None where the method does not tell."""
        return max(self.scenes, key=self.scenes.__getitem__, default=None)


@dataclass(frozen=True, kw_only=True)
class ImageOutcome:
    """How the prediction of one image went."""

    name: str
    """file name"""
    error: str | None = None
    """what is wrong with it, as one sentence; None if it was predicted"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""
    n_objects: dict[str, int] = field(default_factory=dict)
    """class name -> number of objects"""
    areas: dict[str, float] = field(default_factory=dict)
    """class name -> area or volume of all its objects; empty if not measured"""
    area_name: str = ""
    """what ``areas`` are, such as 'area_um2' or 'volume_px3'"""
    whole: WholeImage = field(default_factory=WholeImage)
    """what is said of the image as a whole"""
    scores: dict[str, float] = field(default_factory=dict)
    """of :data:`~napari_mtseg.domain.review.SCORES`, those that are known"""
    uncertainty_from: str = ONE_PASS
    """which answers the uncertainty comes from, in words"""
    files: tuple[Path, ...] = ()
    """what was written"""
    seconds: float = 0.0
    """wall time"""
    is_too_large: bool = False
    """True if the memory did not suffice"""
    in_blocks: bool = False
    """True if it was predicted in blocks, so that nothing but maps and the table of
    objects is written"""
    was_done_before: bool = False
    """True if an earlier prediction did it, so that nothing was written now"""


def outcome_of(predicted: Callable[[], ImageOutcome], name: str) -> ImageOutcome:
    """Return what ``predicted`` returns, with its time, or why it could not.

    It makes and leaves the prediction itself, so that none is in memory beside the
    next one.

    Parameters
    ----------
    predicted : callable
        Predicts one image and writes its results.
    name : str
        Of the image.

    Raises
    ------
    StorageError
        If the disk is full or refuses: the next image would fare no better.
    ClusterError
        If the workers are gone; not where this image is what ends them.
    """
    began = time.monotonic()
    try:
        done = predicted()
    except MemoryShortageError as error:
        done = ImageOutcome(name=name, error=str(error), is_too_large=True)
    except MemoryError:
        sentence = (
            f"The memory ran out while '{name}' was predicted. Close other programs, "
            "or cut the image into parts."
        )
        done = ImageOutcome(name=name, error=sentence, is_too_large=True)
    except LostTaskError as error:
        done = ImageOutcome(name=name, error=str(error))
    except (StorageError, ClusterError):
        raise
    except MtsegError as error:
        done = ImageOutcome(name=name, error=str(error))
    return replace(done, seconds=time.monotonic() - began)


def done_outcome(
    model: Model,
    name: str,
    info: ImageInfo,
    found: Prediction,
    *,
    files: tuple[Path, ...],
) -> ImageOutcome:
    """Return what a prediction found on an image, in the names of its model."""
    count = Counter(found.class_of.values())
    return ImageOutcome(
        name=name,
        notices=model.notices(info),
        n_objects={name: count[c] for c, name in model.class_names.items()},
        whole=_whole_image(found, model),
        scores=known_scores(found.scores),
        uncertainty_from=found.uncertainty_from,
        files=files,
    )


def with_areas(
    outcome: ImageOutcome, table: Mapping[str, NDArray[Any]]
) -> ImageOutcome:
    """Return an outcome that also tells how much of the image each class covers.

    Parameters
    ----------
    outcome : ImageOutcome
        Of a prediction.
    table : mapping of str to (n,) array
        Its objects, of :func:`~napari_mtseg.geometry.measurements.measurements`.
    """
    name = next(column for column in table if column.startswith(("area_", "volume_")))
    areas = {
        of: float(table[name][table["class_name"] == of].sum())
        for of in outcome.n_objects
    }
    return replace(outcome, areas=areas, area_name=name)


def _whole_image(found: Prediction, model: Model) -> WholeImage:
    """Return what a prediction says of the image as a whole, by names."""
    names = model.class_names
    scenes = zip(model.info.scenes, found.scenes, strict=True) if found.scenes else ()
    return WholeImage(
        scenes=dict(scenes),
        present={names[c]: p for c, p in sorted(found.present.items()) if c in names},
        disagreeing=tuple(
            names[c] for c in disagreeing_classes(found.present, found.classes)
        ),
        disagreement=found.scores.get("disagreement", math.nan),
        doubt=found.scores.get("doubt", math.nan) if model.is_sampled else math.nan,
    )
