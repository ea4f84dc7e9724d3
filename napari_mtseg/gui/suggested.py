"""What to annotate next: which images would teach the network most."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.named_widgets import named_button
from napari_mtseg.gui.predicted_runs import has_predictions
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState

How = Literal["doubt", "random", "interval"]

NOT_PREDICTED = (
    "Nothing is predicted, so it is not known what the network doubts: images are "
    "chosen without looking at them. Predict all images to choose by doubt."
)
LOOKING = "Looking for images…"
DONE = "✔ "
"""sign before an image that was annotated since it was suggested"""

_HOWS: Mapping[How, tuple[str, str]] = {
    "doubt": (
        "doubtful, unlike each other",
        "Images that the network doubts, and that look unlike each other and unlike "
        "those that are annotated",
    ),
    "random": ("at random", "Any images that are not annotated; each press draws anew"),
    "interval": (
        "at equal intervals",
        "Images evenly spaced in the project's order, as along a video or a series",
    ),
}
_MOST = 500
_DEFAULT = 10
_ROWS = 6
"""lines of the list that are seen without scrolling"""
_ID, _NAME = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, kw_only=True)
class SuggestedImage:
    """One image that is worth annotating."""

    id: str
    """image"""
    name: str
    """its file name"""


class Suggested(QWidget):
    """Asks which images to annotate next, and lists them; a click opens one.

    Parameters
    ----------
    state : WindowState
        Tells the project; a click sets its ``image_id`` and ``page``.
    commands : Commands
        Runs `mtseg review --suggest`.
    """

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("suggested")
        self._state, self._commands = state, commands
        self._run_id: str | None = None
        self._wanted: How | None = None
        self._running: RunningCommand | None = None
        self._project: Path | None = None
        self._n_asked = 0
        self._has_answer = False
        self._lay_out()
        self._how.activated.connect(self._choose_how)
        self._button.clicked.connect(self.suggest)
        self._list.itemActivated.connect(self._open)
        self._list.itemClicked.connect(self._open)
        state.events.project.connect(self._leave_project)
        state.predictions_changed.connect(self._offer)
        state.annotation_saved.connect(self._mark_annotated)
        self._offer()

    def set_run(self, run_id: str | None) -> None:
        """Choose the run whose doubt counts; None for none."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._offer()

    def suggest(self) -> None:
        """Ask for images, in the background."""
        project, how = self._state.project, self._how.currentData()
        if project is None or self._running is not None:
            return
        self._project = project.path
        args = ["review", str(project.path)]
        if self._run_id is not None:
            args += ["--run", self._run_id]
        args += ["--suggest", str(self._n.value()), "--how", how]
        # Drawing at random again gives other images.
        args += ["--seed", str(self._n_asked), "--json"]
        self._n_asked += 1
        self._running = self._commands.run(args, self._finish)
        self._has_answer = True
        self._said.say(LOOKING)
        self._offer()

    def _lay_out(self) -> None:
        self._n = QSpinBox(self)
        self._n.setObjectName("n_suggested")
        self._n.setRange(1, _MOST)
        self._n.setValue(_DEFAULT)
        self._n.setToolTip("How many images to suggest")
        self._n.setAccessibleName("Images to suggest")
        self._how = QComboBox(self)
        self._how.setObjectName("how_suggested")
        self._how.setAccessibleName("How the images are chosen")
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._how.setSizeAdjustPolicy(shrinks)
        self._how.setMinimumContentsLength(12)
        self._button = named_button("suggest", "Suggest images", self)
        self._said = SentenceLabel("", "plain", self)
        self._said.setObjectName("suggestion_outcome")
        self._list = QListWidget(self)
        self._list.setObjectName("suggested_images")
        self._list.setAccessibleName("Suggested images")
        self._list.setToolTip(
            "Suggested images, the most useful first; a click or Enter opens one on "
            "the Annotate page"
        )
        self._list.setUniformItemSizes(True)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self._list.setHorizontalScrollBarPolicy(never)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Images", self._n)
        form.addRow("Choose", self._how)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(form)
        column.addWidget(self._button)
        column.addWidget(self._said)
        column.addWidget(self._list)
        self._list_images(())

    def _offer(self) -> None:
        """Offer the ways of choosing that there are; what was chosen by hand stays."""
        project = self._state.project
        by_doubt = (
            project is not None
            and self._run_id is not None
            and has_predictions(project.path / "predictions" / self._run_id)
        )
        self._how.clear()
        for how, (words, tip) in _HOWS.items():
            if how != "doubt" or by_doubt:
                self._how.addItem(words, how)
                last = self._how.count() - 1
                self._how.setItemData(last, tip, Qt.ItemDataRole.ToolTipRole)
        self._how.setCurrentIndex(max(self._how.findData(self._wanted), 0))
        has_images = project is not None and bool(project.images)
        is_free = self._running is None
        self._button.setEnabled(has_images and is_free)
        self._button.setToolTip(
            "Looks for images that are not annotated yet and worth it"
            if has_images
            else "The project has no image. Add some first."
        )
        if not self._has_answer:
            self._said.say("" if by_doubt or not has_images else NOT_PREDICTED)
        self._tell_how()

    def _choose_how(self) -> None:
        self._wanted = self._how.currentData()
        self._tell_how()

    def _tell_how(self) -> None:
        self._how.setToolTip(_HOWS[self._how.currentData()][1])

    def _finish(self, result: CommandResult) -> None:
        self._running = None
        project = self._state.project
        if project is not None and project.path == self._project:
            images = suggested_images(result)
            self._list_images(images or ())
            self._tell(result, images)
        self._offer()

    def _tell(
        self, result: CommandResult, images: tuple[SuggestedImage, ...] | None
    ) -> None:
        if images is None:
            self._said.say(result.sentence or "No answer came.", "problem")
        elif images:
            n = len(images)
            less = "; there are no more" if n < self._n.value() else ""
            self._said.say(f"{n:,} image{'s' * (n != 1)} to annotate next{less}:")
        else:
            self._said.say("Every training image is annotated already.", "ok")

    def _list_images(self, images: tuple[SuggestedImage, ...]) -> None:
        self._list.clear()
        for image in images:
            item = QListWidgetItem(image.name, self._list)
            item.setData(_ID, image.id)
            item.setData(_NAME, image.name)
            item.setToolTip(f"{image.name}: open it on the Annotate page")
        self._list.setVisible(bool(images))
        row = self._list.sizeHintForRow(0) if images else 0
        self._list.setFixedHeight(min(max(len(images), 1), _ROWS) * row + 4)

    def _mark_annotated(self, image_id: str) -> None:
        """Tick an image that was painted on, so that one sees which are left."""
        for item in map(self._list.item, range(self._list.count())):
            if item is not None and item.data(_ID) == image_id:
                item.setText(DONE + item.data(_NAME))

    def _open(self, item: QListWidgetItem) -> None:
        self._state.image_id = item.data(_ID)
        self._state.page = "annotate"

    def _leave_project(self) -> None:
        if self._running is not None:
            self._running.stop()
        self._run_id, self._n_asked, self._has_answer = None, 0, False
        self._list_images(())
        self._offer()


def suggested_images(result: CommandResult) -> tuple[SuggestedImage, ...] | None:
    """Return the images that `mtseg review --suggest` named; None where it failed."""
    if result.code:
        return None
    try:
        return tuple(
            SuggestedImage(id=str(image["id"]), name=str(image["name"]))
            for image in json.loads(result.stdout)["suggested"]
        )
    except (ValueError, KeyError, TypeError):
        return None
