"""What a further training changed: the outlines of an earlier run, and figures."""

from functools import partial
from pathlib import Path

from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.predicted_runs import earlier_runs
from napari_mtseg.gui.run_change import (
    ImageChange,
    QualityChange,
    image_change,
    quality_change,
)
from napari_mtseg.gui.run_choice import run_titles
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.run_folder import RunFolder

NO_EARLIER_RUN = (
    "No earlier run has predictions. After a further training, what it changed is "
    "shown here."
)
NOT_PREDICTED_NOW = "This run has not predicted this image: nothing to compare."
NOT_PREDICTED_BEFORE = (
    "The earlier run has not predicted this image: nothing to compare."
)
NOTHING_HELD_OUT = (
    "Which run is better is not known: they had no annotated images in the split "
    "'validate'."
)
_NOTHING = "nothing"
_TIP = (
    "Shows what an earlier run found as black and white dashes, the overlay 'Before', "
    "and what has changed since"
)


class WhatChanged(QWidget):
    """Compares the run that is looked at with an earlier one.

    A run that started from another is compared with that one, unless the user chooses
    otherwise.

    Parameters
    ----------
    state : WindowState
        Tells the project and the current image.
    overlays : Overlays
        Shows the outlines of the earlier run.
    """

    def __init__(
        self, state: WindowState, overlays: Overlays, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("what_changed")
        self._state, self._overlays = state, overlays
        self._run_id: str | None = None
        self._chosen: dict[str, str | None] = {}
        self._compared: tuple[Path, str, str] | None = None
        self._image, self._quality = NewestAnswer(self), NewestAnswer(self)
        self._lay_out()
        self._runs.activated.connect(self._choose)
        self._image.answered.connect(self._show_image)
        self._image.refused.connect(self._refuse_image)
        self._quality.answered.connect(self._show_quality)
        state.events.image_id.connect(self._compare_image)
        state.events.project.connect(self._forget)
        state.runs_changed.connect(self._list_runs)
        state.predictions_changed.connect(self._list_runs)
        self._list_runs()

    @property
    def compared_with(self) -> str | None:
        """Earlier run that is compared with; None for none."""
        return self._runs.currentData()

    def set_run(self, run_id: str | None) -> None:
        """Choose the run that is looked at; None for none."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._list_runs()

    def _lay_out(self) -> None:
        self._runs = QComboBox(self)
        self._runs.setObjectName("compare_with")
        self._runs.setAccessibleName("Compare with an earlier run")
        self._runs.setToolTip(_TIP)
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._runs.setSizeAdjustPolicy(shrinks)
        self._runs.setMinimumContentsLength(12)
        self._label = QLabel("Compare with", self)
        self._label.setBuddy(self._runs)
        self._on_image = SentenceLabel("", "plain", self)
        self._on_image.setObjectName("image_change")
        self._on_image.setToolTip(
            "Both predictions of this image: Dice 1 is the same segmentation, 0 shares "
            "no pixel; with several classes, the mean over them"
        )
        self._of_runs = SentenceLabel("", "plain", self)
        self._of_runs.setObjectName("quality_change")
        self._of_runs.setToolTip(
            "How good each run is on annotated images that it was not trained on, of "
            "the earlier run → of this one"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        # Above it, so that the date fits into the line.
        column.addWidget(self._label)
        column.addWidget(self._runs)
        column.addWidget(self._on_image)
        column.addWidget(self._of_runs)

    def _forget(self) -> None:
        self._chosen.clear()
        self._run_id = None
        self._list_runs()

    def _list_runs(self) -> None:
        """Offer the earlier runs with predictions, the newest first."""
        project, run_id = self._state.project, self._run_id
        earlier: list[str] = []
        if project is not None and run_id is not None:
            earlier = earlier_runs(project.path, run_id)
        self._runs.clear()
        self._runs.addItem(_NOTHING, None)
        # Named beside the run that is looked at, so that the two differ.
        titles = run_titles([run_id or "", *earlier])[1:]
        for name, title in zip(earlier, titles, strict=True):
            self._runs.addItem(title, name)
        if project is not None and run_id is not None and earlier:
            parent = _parent_of(RunFolder(project.path / "runs" / run_id))
            wanted = self._chosen.get(run_id, parent)
            self._runs.setCurrentIndex(max(self._runs.findData(wanted), 0))
        for widget in (self._label, self._runs):
            widget.setVisible(bool(earlier))
        self._compared = None
        self._compare()

    def _choose(self) -> None:
        if self._run_id is not None:
            self._chosen[self._run_id] = self.compared_with
        self._compare()

    def _compare(self) -> None:
        self._compare_image()
        project, before, now = self._state.project, self.compared_with, self._run_id
        if project is None or before is None or now is None:
            self._compared = None
            self._quality.drop()
            self._of_runs.say("")
        elif self._compared != (project.path, before, now):
            self._compared = (project.path, before, now)
            self._quality.ask(partial(quality_change, *self._compared))

    def _compare_image(self) -> None:
        """Read both predictions of the current image in a thread, if there are both."""
        self._image.drop()
        project, image = self._state.project, self._state.image_id
        before, now = self.compared_with, self._run_id
        if project is None or image is None or before is None or now is None:
            has_earlier = self._runs.count() > 1
            self._show_nothing("" if now is None or has_earlier else NO_EARLIER_RUN)
            return
        folders = [project.path / "predictions" / run / image for run in (before, now)]
        if not has_prediction(folders[1]):
            self._show_nothing(NOT_PREDICTED_NOW)
        elif not has_prediction(folders[0]):
            self._show_nothing(NOT_PREDICTED_BEFORE)
        else:
            self._image.ask(partial(image_change, *folders))

    def _show_nothing(self, why: str) -> None:
        self._on_image.say(why, "note")
        self._overlays.put_away_before()

    def _refuse_image(self, why: str) -> None:
        self._on_image.say(why, "problem")
        self._overlays.put_away_before()

    def _show_image(self, change: ImageChange) -> None:
        self._on_image.say(change.sentence())
        self._overlays.show_before(change.objects)

    def _show_quality(self, change: QualityChange | None) -> None:
        if change is None:
            self._of_runs.say(NOTHING_HELD_OUT, "note")
        else:
            self._of_runs.say(change.sentence())


def _parent_of(run: RunFolder) -> str | None:
    try:
        return run.info.parent
    except MtsegError:
        return None
