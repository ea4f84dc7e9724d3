"""The Review page: predict, and look at the predictions one by one."""

from pathlib import Path

from qtpy.QtWidgets import QFormLayout, QGroupBox, QLabel, QVBoxLayout, QWidget

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.image_answer import ImageAnswerPanel
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlay_switches import OverlaySwitches
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.predicted_images import PredictedImages, predicted_images
from napari_mtseg.gui.predicting import NO_RUN, Predicting
from napari_mtseg.gui.run_choice import RunChoice
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.run_folder import RunFolder, runs_of


class ReviewPage(QWidget):
    """Chooses a run, has it predict, and goes through what it predicted.

    Parameters
    ----------
    state : WindowState
        Shared state; choosing a run sets its ``run_id``, a line its ``image_id``.
    overlays : Overlays
        Shows the prediction of the current image.
    commands : Commands
        Runs `mtseg predict`.
    """

    def __init__(
        self,
        state: WindowState,
        overlays: Overlays,
        commands: Commands,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("review_page")
        self._state, self._overlays = state, overlays
        self._shown: Path | None = None
        self._reading = NewestAnswer(self)
        self._runs = RunChoice("review_run", self)
        self._predicting = Predicting(state, commands, self)
        self._here = SentenceLabel("", "plain", self)
        self._here.setObjectName("review_here")
        self._answer = ImageAnswerPanel(state, self)
        self._images = PredictedImages(state, self)
        self._lay_out()
        self._reading.answered.connect(self._images.list_images)
        self._predicting.arrived.connect(self._show_image)
        self._runs.activated.connect(self._choose_run)
        overlays.failed.connect(lambda why: self._here.say(why, "problem"))
        state.events.project.connect(self._list_runs)
        state.events.run_id.connect(self._list_runs)
        state.runs_changed.connect(self._list_runs)
        state.events.image_id.connect(self._show_other_image)
        state.predictions_changed.connect(self._read)
        self._list_runs()

    @property
    def run_id(self) -> str | None:
        """Run whose predictions are looked at; None if there is none."""
        return self._runs.run_id

    def _lay_out(self) -> None:
        form = QFormLayout()
        # Above it, so that the date fits into the line.
        form.addRow(QLabel("Run", self))
        form.addRow(self._runs)
        results = QGroupBox("Results on this image", self)
        inside = QVBoxLayout(results)
        inside.addWidget(self._here)
        inside.addWidget(self._answer)
        inside.addWidget(OverlaySwitches(self._state, self._overlays, self))
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        column.addLayout(form)
        column.addWidget(self._predicting)
        column.addWidget(results)
        column.addWidget(self._images, stretch=1)
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
        """Read in a thread what is predicted, and show this image's results."""
        project, run_id = self._state.project, self.run_id
        if project is None or run_id is None:
            self._reading.drop()
            self._images.list_images(())
        else:
            names = [(entry.id, entry.name) for entry in project.images]
            folder = project.path / "predictions" / run_id
            classes = [each.name for each in project.info.classes]
            self._reading.ask(lambda: predicted_images(folder, names, classes=classes))
        self._show_image()

    def _show_other_image(self) -> None:
        self._shown = None
        self._images.mark_current()
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
