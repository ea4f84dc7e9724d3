"""What the table of predicted images shows, kept as columns of numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.review import (
    SCORES,
    VERDICTS,
    ReviewRecord,
    Verdict,
    n_worst,
)
from napari_mtseg.storage.review_index import ReviewedImage

FLAG = "⚑"
"""stands at scores at or above the threshold"""
FLAGGED = "#d55e00"
"""colour of bars at or above the threshold; a sign or the line says it as well"""
DISAGREEMENT = "disagreement"
"""name of the score that says how far the classes expected in an image are from those
segmented"""

_SURELY = 0.5
"""above it, some class probably occurs and is not segmented, or the reverse"""
_UNREVIEWED = 0
_CODES: Mapping[Verdict | None, int] = {
    None: _UNREVIEWED,
    **{verdict: code for code, verdict in enumerate(VERDICTS, start=1)},
}


class Show(Enum):
    """Which images are listed."""

    ALL = "all"
    FLAGGED = "flagged"
    UNREVIEWED = "unreviewed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CORRECTED = "corrected"
    SKIPPED = "skipped"
    DISAGREEING = "classes disagree"


@dataclass(frozen=True, eq=False, kw_only=True)
class ReviewRow:
    """One predicted image as the table shows it now."""

    image: ReviewedImage
    """the image, with the verdict that is on the disk"""
    score: float
    """the chosen score; NaN where the image has none"""
    share: float
    """the score as a share of the highest one, 0 to 1"""
    n_digits: int
    """digits of the score after the point"""
    is_flagged: bool
    """True if the score is at or above the threshold"""
    verdict: Verdict | None
    """verdict that is on the disk or being saved"""
    is_saving: bool
    """True while the verdict is being saved"""
    is_of_earlier_run: bool
    """True if the verdict was on the prediction of an earlier run"""


class ReviewRows:
    """The predicted images of a run: their doubts, flags and verdicts.

    An image is known by its place, from 0 in the order in which they were listed.
    """

    def __init__(self) -> None:
        self.images: list[ReviewedImage] = []
        """all images, whatever is shown of them"""
        self.threshold = math.inf
        """images with this score or more are flagged"""
        self.score: str | None = None
        """name of the chosen score, of SCORES; None where the images have none"""
        self._saving: dict[str, Verdict] = {}
        self.list_images((), "")

    def list_images(self, images: Sequence[ReviewedImage], run: str) -> None:
        """Take the images that ``run`` predicted in place of the present ones."""
        self.images, self._run = list(images), run
        self._place = {image.id: place for place, image in enumerate(images)}
        self._names = [image.name.casefold() for image in images]
        order = sorted(range(len(images)), key=self._names.__getitem__)
        self.name_rank = _ranks(np.array(order, np.intp))
        """(images,) place in the order of names"""
        self._saving = {k: v for k, v in self._saving.items() if k in self._place}
        codes = [_CODES[self._verdict(image)] for image in images]
        self.verdict_code = np.array(codes, np.int8)
        """(images,) 0 where nothing was said, else a number for each verdict"""
        self._has_own = np.array([self._is_own(image) for image in images], np.bool_)
        self._disagrees = np.array([classes_disagree(i) for i in images], np.bool_)
        self.set_score(self.score)

    def scores(self) -> tuple[str, ...]:
        """Return the names of the scores that some image has."""
        return tuple(
            name
            for name in SCORES
            if any(math.isfinite(i.scores.get(name, math.nan)) for i in self.images)
        )

    def values_of(self, name: str | None) -> NDArray[np.float64]:
        """Return a score of each image; NaN where it has none."""
        found = np.array(
            [i.scores.get(name or "", math.nan) for i in self.images], np.float64
        )
        found[~np.isfinite(found)] = np.nan
        return found

    def set_score(self, name: str | None) -> None:
        """Choose a score."""
        self.score, self.values = name, self.values_of(name)
        highest = np.nanmax(self.values, initial=0.0)
        self._top = float(highest) or 1.0
        self._n_digits = 3 if self._top <= 1 else 2
        doubts = np.where(np.isnan(self.values), -np.inf, self.values)
        self.doubt_rank = _ranks(np.lexsort((self.name_rank, -doubts)))
        """(images,) 0 for the most doubtful image; those without a score come last"""

    def set_verdict(self, image_id: str, record: ReviewRecord | None) -> None:
        """Note the verdict on an image that is on the disk now."""
        place = self.place_of(image_id)
        if place is not None:
            self.images[place] = replace(self.images[place], verdict=record)
            self._has_own[place] = self._is_own(self.images[place])
            self._note(place)

    def set_saving(self, image_id: str, verdict: Verdict | None) -> None:
        """Note a verdict that is being saved; None where none is any more."""
        self._saving.pop(image_id, None)
        place = self.place_of(image_id)
        if place is not None:
            self._saving |= {} if verdict is None else {image_id: verdict}
            self._note(place)

    def place_of(self, image_id: str | None) -> int | None:
        """Return the place of an image; None if it is not among them."""
        return None if image_id is None else self._place.get(image_id)

    @property
    def is_unreviewed(self) -> NDArray[np.bool_]:
        """(images,) True where nobody said anything, not even to skip it."""
        return self.verdict_code == _UNREVIEWED

    @property
    def is_flagged(self) -> NDArray[np.bool_]:
        """(images,) True where the score is at or above the threshold."""
        flagged: NDArray[np.bool_] = self.values >= self.threshold
        return flagged

    @property
    def can_take_back(self) -> bool:
        """True if there is a verdict on this run's predictions."""
        return bool(self._saving) or bool(self._has_own.any())

    @property
    def tells_classes(self) -> bool:
        """True if the method tells classes apart from the class map."""
        return any(DISAGREEMENT in image.scores for image in self.images)

    def counts(self) -> dict[Show, int]:
        """Return how many images each filter shows."""
        return {show: int(self._is_shown(show).sum()) for show in Show}

    def shown(self, show: Show, text: str) -> NDArray[np.intp]:
        """Return the places of images in a state whose name has ``text`` in it."""
        is_shown = self._is_shown(show)
        if text:
            part = text.casefold()
            is_shown = is_shown & np.array([part in n for n in self._names], np.bool_)
        return np.flatnonzero(is_shown)

    def row(self, place: int) -> ReviewRow:
        """Return what is shown of an image."""
        image, score = self.images[place], float(self.values[place])
        verdict = self._verdict(image)
        is_saving = image.id in self._saving
        is_earlier = image.verdict is not None and not self._is_own(image)
        return ReviewRow(
            image=image,
            score=score,
            share=0.0 if math.isnan(score) else min(max(score / self._top, 0), 1),
            n_digits=self._n_digits,
            is_flagged=score >= self.threshold,
            verdict=verdict,
            is_saving=is_saving,
            is_of_earlier_run=is_earlier and not is_saving,
        )

    def _verdict(self, image: ReviewedImage) -> Verdict | None:
        saved = None if image.verdict is None else image.verdict.verdict
        return self._saving.get(image.id, saved)

    def _is_own(self, image: ReviewedImage) -> bool:
        return image.verdict is not None and image.verdict.run == self._run

    def _note(self, place: int) -> None:
        self.verdict_code[place] = _CODES[self._verdict(self.images[place])]

    def _is_shown(self, show: Show) -> NDArray[np.bool_]:
        if show is Show.ALL:
            return np.ones(len(self.images), np.bool_)
        if show is Show.FLAGGED:
            return self.is_flagged
        if show is Show.DISAGREEING:
            return self._disagrees
        code = next((_CODES[v] for v in VERDICTS if v == show.value), _UNREVIEWED)
        return self.verdict_code == code


def classes_disagree(image: ReviewedImage) -> bool:
    """Return whether other classes are segmented than the image looks to hold."""
    return image.scores.get(DISAGREEMENT, 0.0) > _SURELY


def worst_threshold(values: NDArray[np.float64], *, share: float = 0.1) -> float:
    """Return the threshold that flags the worst ``share`` of the images, or a bit more.

    Alike scores are flagged together, but never all images: where all are alike, none
    is. [ours]

    Parameters
    ----------
    values : (images,) float64
        A score of each image; NaN where it has none.
    share : float
        Wanted share of flagged images, 0..1.
    """
    known = np.sort(values[np.isfinite(values)])
    if not known.size:
        return math.inf
    worst = float(known[known.size - n_worst(known.size, share)])
    if worst > known[0]:
        return worst
    above = known[known > worst]
    return float(above[0] if above.size else np.nextafter(known[-1], math.inf))


def _ranks(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rank of each place in ``order``, from 0."""
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    return ranks
