"""The list of predicted images with their scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QGroupBox,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.image_answer import DOUBT
from napari_mtseg.gui.named_answer import class_names
from napari_mtseg.gui.named_widgets import named_button, row_of
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import (
    ImageAnswer,
    has_prediction,
    load_answer,
)

_ID = Qt.ItemDataRole.UserRole

_ONLY_TIP = (
    "List only the images whose segmentation shows other classes than the image as a "
    "whole looks to hold: often the segmentation failed there"
)
_NONE_TIP = (
    "There is none: on every predicted image the segmentation shows the classes that "
    "the image as a whole looks to hold"
)


@dataclass(frozen=True, kw_only=True)
class PredictedImage:
    """One line of the list of predicted images."""

    id: str
    """image"""
    name: str
    """its file name"""
    scores: str
    """what the prediction says of the image as a whole, in words"""
    doubts: tuple[str, ...] = ()
    """classes about which class prediction and segmentation disagree"""
    tells_classes: bool = False
    """True if there is a class prediction, so that they can disagree"""
    doubt: float = math.nan
    """score 'doubt'; NaN if it is not known"""


class PredictedImages(QGroupBox):
    """The predicted images with their scores; a click or Enter shows one."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._list = QListWidget(self)
        self._list.setObjectName("predicted_images")
        self._list.setToolTip("Predicted images; a click or Enter shows one")
        self._list.setAccessibleName("Predicted images")
        self._list.setUniformItemSizes(True)
        self._list.setMinimumHeight(140)
        self._list.setSpacing(3)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self._list.setHorizontalScrollBarPolicy(never)
        self._images: tuple[PredictedImage, ...] = ()
        self._only = QCheckBox(self)
        self._only.setObjectName("only_doubtful")
        self._by_doubt = QCheckBox("Most doubtful first", self)
        self._by_doubt.setObjectName("most_doubtful_first")
        self._by_doubt.setToolTip(
            "List the images by their doubt, the highest first, instead of in the "
            "project's order"
        )
        self._back = named_button("previous_predicted", "◀ Previous", self)
        self._next = named_button("next_predicted", "Next ▶", self)
        column = QVBoxLayout(self)
        column.addWidget(self._only)
        column.addWidget(self._by_doubt)
        column.addWidget(self._list)
        column.addLayout(row_of(self._back, self._next))
        self._list.itemActivated.connect(self._go_to)
        self._list.itemClicked.connect(self._go_to)
        self._only.toggled.connect(self._fill)
        self._by_doubt.toggled.connect(self._fill)
        self._back.clicked.connect(lambda: self._step(-1))
        self._next.clicked.connect(lambda: self._step(1))
        self.list_images(())

    def list_images(self, images: Sequence[PredictedImage]) -> None:
        """Show other images."""
        self._images = tuple(images)
        n_doubtful = sum(bool(image.doubts) for image in images)
        self._only.setText(f"Only where classes disagree {DOUBT} ({n_doubtful:,})")
        self._only.setVisible(any(i.tells_classes or i.doubts for i in self._images))
        self._only.setEnabled(n_doubtful > 0)
        self._only.setToolTip(_ONLY_TIP if n_doubtful else _NONE_TIP)
        if n_doubtful == 0:
            self._only.setChecked(False)
        n_known = sum(math.isfinite(image.doubt) for image in self._images)
        self._by_doubt.setVisible(n_known > 1)
        self.setVisible(bool(images))
        self._fill()

    def _fill(self) -> None:
        """List the images, or only those whose classes disagree, in either order."""
        only = self._only.isChecked()
        listed = [image for image in self._images if image.doubts or not only]
        if self._by_doubt.isChecked():
            # Those without a doubt last.
            listed.sort(key=lambda image: -_number_or(image.doubt, -math.inf))
        self._list.clear()
        for image in listed:
            doubt = f"{DOUBT} " if image.doubts else ""
            item = QListWidgetItem(f"{doubt}{image.name}\n{image.scores}", self._list)
            item.setData(_ID, image.id)
            item.setToolTip(_tip(image))
        of = f" of {len(self._images):,}" if only else ""
        self.setTitle(f"Predicted images ({len(listed):,}{of})")
        self.mark_current()

    def mark_current(self) -> None:
        """Select the line of the current image, if it has one."""
        place, n = self._place(), self._list.count()
        self._list.setCurrentRow(-1 if place is None else place)
        steps = (
            (self._back, 0, "before", "first"),
            (self._next, n - 1, "after", "last"),
        )
        for button, end, side, which in steps:
            is_end = place == end
            button.setEnabled(n > 0 and not is_end)
            button.setToolTip(
                f"This is the {which} predicted image"
                if is_end
                else f"Show the predicted image {side} this one"
            )

    def _ids(self) -> list[str]:
        items = map(self._list.item, range(self._list.count()))
        return [item.data(_ID) for item in items if item is not None]

    def _place(self) -> int | None:
        ids, here = self._ids(), self._state.image_id
        return ids.index(here) if here in ids else None

    def _go_to(self, item: QListWidgetItem) -> None:
        self._state.image_id = item.data(_ID)

    def _step(self, step: int) -> None:
        place, ids = self._place(), self._ids()
        start = (-1 if step > 0 else len(ids)) if place is None else place
        if 0 <= start + step < len(ids):
            self._state.image_id = ids[start + step]


def predicted_images(
    folder: Path, names: Sequence[tuple[str, str]], *, classes: Sequence[str] = ()
) -> tuple[PredictedImage, ...]:
    """Return which images a run has predicted, with what it says of them.

    Parameters
    ----------
    folder : Path
        The run's predictions.
    names : sequence of (str, str)
        Id and file name of each image of the project.
    classes : sequence of str
        Names of the project's classes 1, 2, ...
    """
    return tuple(
        _predicted_image(folder / key, key, name, classes)
        for key, name in names
        if has_prediction(folder / key)
    )


def _predicted_image(
    folder: Path, key: str, name: str, classes: Sequence[str]
) -> PredictedImage:
    try:
        answer = load_answer(folder)
    except (MtsegError, OSError):
        scores = "cannot be read; predict it again"
        return PredictedImage(id=key, name=name, scores=scores)
    called = class_names(answer, classes)
    return PredictedImage(
        id=key,
        name=name,
        scores=scores_in_words(answer),
        doubts=tuple(called[c] for c in answer.disagreeing),
        tells_classes=bool(answer.present),
        doubt=answer.scores.get("doubt", math.nan),
    )


def scores_in_words(answer: ImageAnswer) -> str:
    """Return the scores of a prediction as one line: '1 object · quality 0.91'.

    Doubt is told per object pixel: where nothing was found it would mislead.
    """
    n = sum(answer.n_objects.values())
    known = [
        f"{name.replace('_', ' ')} {value:.2f}"
        for name, value in answer.scores.items()
        if math.isfinite(value) and (n or name != "doubt")
    ]
    return " · ".join([f"{n:,} object{'' if n == 1 else 's'}", *known])


def _number_or(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise


def _tip(image: PredictedImage) -> str:
    doubts = ", ".join(image.doubts)
    about = f"; classes and segmentation disagree about {doubts}" if doubts else ""
    return f"{image.name}: {image.scores}{about}"
