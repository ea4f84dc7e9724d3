"""The Review page: predict, judge the most doubtful first, and learn from that."""

from collections.abc import Callable, Mapping
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.fold import Fold
from napari_mtseg.gui.image_answer import ImageAnswerPanel
from napari_mtseg.gui.overlay_switches import OverlaySwitches
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.predicting import NO_RUN, Predicting
from napari_mtseg.gui.run_choice import RunChoice
from napari_mtseg.gui.score_check_line import ScoreCheckLine
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.suggested import Suggested
from napari_mtseg.gui.thumbnails import Thumbnails
from napari_mtseg.gui.train_again import TrainAgain
from napari_mtseg.gui.triage import Triage
from napari_mtseg.gui.what_changed import WhatChanged
from napari_mtseg.gui.worst_places import WorstPlaces
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.run_folder import RunFolder, runs_of


class ReviewPage(QWidget):
    """Chooses a run, has it predict, and takes verdicts on what it predicted.

    Parameters
    ----------
    viewer : napari viewer
        Is moved to doubtful places.
    state : WindowState
        Shared state; choosing a run sets its ``run_id``, a line its ``image_id``.
    editing : Editing
        The paint of the current image, which verdicts change.
    overlays : Overlays
        Shows the prediction of the current image.
    commands : Commands
        Runs `mtseg predict`, `mtseg evaluate` and `mtseg review`.
    thumbnails : Thumbnails
        Those of the project, which the Project page shows too.
    """

    def __init__(  # noqa: PLR0913 - what the page joins
        self,
        viewer: ViewerModel,
        state: WindowState,
        editing: Editing,
        overlays: Overlays,
        commands: Commands,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("review_page")
        self._state, self._overlays = state, overlays
        self._shown: Path | None = None
        self._is_behind = False
        self._runs = RunChoice("review_run", self)
        self._predicting = Predicting(state, commands, self)
        self._here = SentenceLabel("", "plain", self)
        self._here.setObjectName("review_here")
        self._answer = ImageAnswerPanel(state, self)
        self._check = ScoreCheckLine(state, commands, self)
        self._triage = Triage(state, editing, thumbnails, self)
        self._places = WorstPlaces(viewer, state, self)
        self._changed = WhatChanged(state, overlays, self)
        self._suggested = Suggested(state, commands, self)
        self._again = TrainAgain(state, self)
        self._lay_out()
        self._predicting.arrived.connect(self._show_image)
        self._predicting.all_predicted.connect(self._check.after_prediction)
        self._triage.score_chosen.connect(self._check.set_score)
        self._runs.activated.connect(self._choose_run)
        overlays.failed.connect(lambda why: self._here.say(why, "problem"))
        state.events.project.connect(self._list_runs)
        state.events.page.connect(self._show_page)
        state.events.run_id.connect(self._list_runs)
        state.runs_changed.connect(self._list_runs)
        state.events.image_id.connect(self._show_other_image)
        state.predictions_changed.connect(self._read)
        self._list_runs()

    @property
    def run_id(self) -> str | None:
        """Run whose predictions are looked at; None if there is none."""
        return self._runs.run_id

    def actions_by_name(self) -> Mapping[str, Callable[[], object]]:
        """Return what keys do on this page, by their name in the preferences."""
        return {
            **self._triage.actions_by_name(),
            "worst_object": self._places.next_worst_object,
            "worst_slice": self._places.next_worst_slice,
        }

    def _lay_out(self) -> None:
        form = QFormLayout()
        # Above it, so that the date fits into the line.
        form.addRow(QLabel("Run", self))
        form.addRow(self._runs)
        switches = OverlaySwitches(self._state, self._overlays, self)
        results = _column(self._here, self._answer, switches, self._places)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        column.addLayout(form)
        column.addWidget(self._predicting)
        column.addWidget(self._check)
        column.addWidget(self._triage, stretch=1)
        for title, content, tip, is_open in (
            ("Results on this image", results, "Layers of the result", True),
            (
                "What changed",
                _column(self._changed),
                "The result beside that of an earlier run",
                False,
            ),
            (
                "What next",
                _column(self._again, self._suggested),
                "Train again from the corrected masks; which images to annotate next",
                False,
            ),
        ):
            fold = Fold(title, content, tooltip=tip, is_open=is_open, parent=self)
            name = title.lower().replace(" ", "_")
            fold.heading.setObjectName(f"{name}_fold")
            column.addWidget(fold)
        column.addStretch(0)

    def _list_runs(self) -> None:
        project, wanted = self._state.project, self._state.run_id
        runs = _runs_to_review(project.path, wanted) if project else []
        self._runs.list_runs(runs, wanted)
        self._runs.setEnabled(bool(runs))
        self._runs.setToolTip(
            "Training run whose results are shown; the newest stands first"
            if runs
            else NO_RUN
        )
        self._read()

    def _choose_run(self, place: int) -> None:
        self._state.run_id = self._runs.itemData(place)
        self._read()

    def _read(self) -> None:
        """Have all parts read what is predicted, and show this image's results.

        In a large project that takes seconds: it waits until the page is looked at.
        """
        self._is_behind = self._state.project is not None and not self._is_page_shown
        if not self._is_behind:
            self._read_parts()
        self._show_image()

    def _show_page(self) -> None:
        if self._is_page_shown and self._is_behind:
            self._read()

    @property
    def _is_page_shown(self) -> bool:
        return self._state.page == "review"

    def _read_parts(self) -> None:
        project, run_id = self._state.project, self.run_id
        parts = (
            self._predicting,
            self._check,
            self._triage,
            self._places,
            self._changed,
            self._suggested,
            self._again,
        )
        for part in parts:
            part.set_run(run_id if project is not None else None)

    def _show_other_image(self) -> None:
        self._shown = None
        self._show_image()

    def _show_image(self) -> None:
        """Show the run's prediction of the current image, or say there is none."""
        project, run_id = self._state.project, self.run_id
        self._predicting.set_run(run_id)
        if project is None or run_id is None:
            self._here.say(NO_RUN, "note")
        elif self._state.image_id is None:
            self._here.say("The project has no image. Add some first.", "note")
        else:
            folder = project.path / "predictions" / run_id / self._state.image_id
            if has_prediction(folder):
                self._shown = folder
                self._overlays.show_prediction(folder)
                self._answer.show_prediction(folder)
                self._here.say("")
                return
            self._here.say(self._unpredicted(project.path / "runs" / run_id), "note")
        self._answer.show_prediction(None)
        if self._shown is not None:
            # What a training shows of this image is not ours to take away.
            self._shown = None
            self._overlays.put_away_results()

    def _unpredicted(self, run: Path) -> str:
        if is_locked(run):
            return "This run is training; its results come as it learns."
        return "This run has not predicted this image. Click Predict this image."


def _runs_to_review(project: Path, wanted: str | None) -> list[RunFolder]:
    """Return the runs with weights, and the wanted one, newest first."""
    return [
        run
        for run in reversed(runs_of(project))
        if run.path.name == wanted or run.checkpoint("best").exists()
    ]


def _column(*widgets: QWidget) -> QWidget:
    """Return a widget that holds others, from top to bottom."""
    holder = QWidget()
    inside = QVBoxLayout(holder)
    inside.setContentsMargins(8, 2, 0, 4)
    for widget in widgets:
        inside.addWidget(widget)
    return holder
