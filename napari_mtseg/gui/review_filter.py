"""By which score the predicted images are sorted, and which of them are listed."""

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QLineEdit, QWidget

from napari_mtseg.domain.review import SCORES
from napari_mtseg.gui.review_rows import FLAG, Show

_TYPED = 150
"""milliseconds after the last letter until the names are searched"""
_TIPS: Mapping[Show, str] = {
    Show.ALL: "Every image that this run has predicted.",
    Show.FLAGGED: f"Images with {FLAG}: their score is at or above the threshold.",
    Show.UNREVIEWED: "Images without a verdict.",
    Show.ACCEPTED: "Images whose result was accepted: it is their full mask.",
    Show.REJECTED: "Images whose result was rejected.",
    Show.CORRECTED: "Images whose result was opened to be fixed.",
    Show.SKIPPED: "Images that were put aside.",
    Show.DISAGREEING: "Images whose segmentation shows other classes than the image as "
    "a whole looks to hold: often the segmentation failed there.",
}


class ReviewFilter(QWidget):
    """Controls above the table of predicted images.

    Parameters
    ----------
    parent : QWidget, optional
        Qt parent.
    """

    score_chosen = Signal(str)
    """name of the score that the user wants to see, of SCORES"""
    changed = Signal()
    """other images are to be listed: see ``show`` and ``text``"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPED)
        self._typing.timeout.connect(self.changed)
        self._score = _list("review_score", self)
        self._score.setAccessibleName("Score that the images are sorted by")
        self._state = _list("review_state_filter", self)
        self._state.setAccessibleName("Which images are listed")
        for show in _TIPS:
            self._add_state(show)
        self._name = QLineEdit(self)
        self._name.setObjectName("review_name_filter")
        self._name.setPlaceholderText("Find by name")
        self._name.setClearButtonEnabled(True)
        self._name.setToolTip("List the images that have this in their name.")
        self._label = QLabel("Score", self)
        self._label.setBuddy(self._score)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self._label, 0, 0)
        grid.addWidget(self._score, 0, 1, 1, 2)
        grid.addWidget(QLabel("List", self), 1, 0)
        grid.addWidget(self._state, 1, 1)
        grid.addWidget(self._name, 1, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        self._score.activated.connect(self._choose_score)
        self._state.currentIndexChanged.connect(self._change_state)
        self._name.textChanged.connect(lambda: self._typing.start())
        self._change_state()

    @property
    def state(self) -> Show:
        """Which images are listed."""
        found: Show = self._state.currentData()
        return found

    @property
    def text(self) -> str:
        """What the names of the listed images have in them."""
        return self._name.text()

    def offer_scores(self, names: Sequence[str], chosen: str | None) -> None:
        """Offer the scores that there are."""
        if [self._score.itemData(i) for i in range(self._score.count())] != list(names):
            self._score.clear()
            for name in names:
                self._score.addItem(SCORES[name].label.capitalize(), name)
                place, role = self._score.count() - 1, Qt.ItemDataRole.ToolTipRole
                self._score.setItemData(place, SCORES[name].tip, role)
        self._score.setCurrentIndex(self._score.findData(chosen))
        for widget in (self._label, self._score):
            widget.setVisible(bool(names))
        tip = "" if chosen is None else SCORES[chosen].tip
        self._score.setToolTip(f"Images are sorted and flagged by this score. {tip}")

    def say_counts(self, counts: Mapping[Show, int]) -> None:
        """Say how many images each choice lists."""
        for place in range(self._state.count()):
            show: Show = self._state.itemData(place)
            self._state.setItemText(place, f"{show.value} ({counts[show]:,})")

    def offer_disagreeing(self, is_known: bool) -> None:
        """Offer the images whose classes disagree, or not where no method tells."""
        place = self._state.findData(Show.DISAGREEING)
        if is_known and place < 0:
            self._add_state(Show.DISAGREEING)
        elif not is_known and place >= 0:
            self._state.removeItem(place)

    def clear(self) -> None:
        """List all images again."""
        self._state.setCurrentIndex(0)
        self._name.clear()

    def _add_state(self, show: Show) -> None:
        self._state.addItem(show.value, show)
        place, role = self._state.count() - 1, Qt.ItemDataRole.ToolTipRole
        self._state.setItemData(place, _TIPS[show], role)

    def _choose_score(self, place: int) -> None:
        self.score_chosen.emit(self._score.itemData(place))

    def _change_state(self) -> None:
        self._state.setToolTip(_TIPS[self.state])
        self.changed.emit()


def _list(name: str, parent: QWidget) -> QComboBox:
    box = QComboBox(parent)
    box.setObjectName(name)
    box.setMinimumContentsLength(8)
    policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.setSizeAdjustPolicy(policy)
    return box
