"""Segmenting a folder of images in the background, with a run or an exported model."""

from datetime import UTC, datetime
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.batch_words import closing_text, end_text, rest_text
from napari_mtseg.gui.commands import CommandResult, Commands
from napari_mtseg.gui.folder_field import FolderField
from napari_mtseg.gui.folder_job import Job, timed_ledger
from napari_mtseg.gui.folder_progress import FolderProgress
from napari_mtseg.gui.folder_request import FolderRequest
from napari_mtseg.gui.images_to_segment import (
    folders_of_images,
    obstacle_of_images,
    proposed_place,
)
from napari_mtseg.gui.named_widgets import MARGINS, named_button
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.output_choice import OutputChoice
from napari_mtseg.gui.paths_field import PathsField
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.source_choice import SourceChoice
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.window_settings import load_window_settings
from napari_mtseg.storage.batch_ledger import BatchProgress

_LOOK_AFTER = 400
"""milliseconds from a change of the folder to a look at what is in it"""
_LOOK_EVERY = 1000
"""milliseconds between two looks at the ledger, at least"""
_LOOK_AGAIN = 5000
"""the same while another program writes into the folder"""
_LOOK_SHARE = 20
"""a look is followed by so many times its own length without one"""


class FolderPrediction(QGroupBox):
    """Asks what to segment and runs `mtseg predict` until all of it is done.

    It goes on when another page is shown or the project is closed. What is not done
    when the window closes is remembered with the project.

    Parameters
    ----------
    state : WindowState
        Shared state.
    commands : Commands
        Runs the command.
    """

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__("Segment a folder", parent)
        self._state, self._commands = state, commands
        self._job: Job | None = None
        self._result: CommandResult | None = None
        self._found: BatchProgress | None = None
        self._proposed = ""
        self._source = SourceChoice(state, self)
        self._images = PathsField(
            "segment_images",
            "Folder of images, image files, or a pattern such as /data/*.tif",
            files="Image files…",
            parent=self,
        )
        self._inner = QCheckBox("With sub-folders", self)
        self._inner.setObjectName("segment_inner")
        self._inner.setToolTip(
            "Segment the images of the folders inside the folder too"
        )
        self._place = FolderField(
            "segment_out", "Folder for the results; made if it is missing", self
        )
        self._output = OutputChoice(self)
        self._start = named_button("start_segmenting", "Start", self)
        self._why_not = SentenceLabel("", "plain", self)
        self._why_not.setObjectName("segment_obstacle")
        self._progress = FolderProgress(self)
        self._reader = NewestAnswer(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._lay_out()
        self._connect()
        self._start_over()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(QLabel("Run or model", self))
        form.addRow(self._source)
        form.addRow("Images", self._images)
        form.addRow("", self._inner)
        form.addRow("Results", self._place)
        column = QVBoxLayout(self)
        column.setContentsMargins(*MARGINS)
        column.addWidget(
            SentenceLabel(
                "Any number of images, in the background. What is done already is "
                "left out, and a bad image does not stop the others.",
                "plain",
                self,
            )
        )
        column.addLayout(form)
        column.addWidget(self._output)
        column.addWidget(self._start)
        column.addWidget(self._why_not)
        column.addWidget(self._progress)

    def _connect(self) -> None:
        self._source.changed.connect(self._enable)
        self._source.chosen.connect(self._look_soon)
        self._images.edit.setPlaceholderText("Folder or image files")
        self._images.edit.textChanged.connect(self._propose_place)
        self._images.edit.textChanged.connect(self._look_soon)
        self._place.edit.textChanged.connect(self._look_soon)
        self._output.changed.connect(self._look_soon)
        self._start.clicked.connect(self._begin)
        self._progress.stopped.connect(self._stop)
        self._timer.timeout.connect(self._look)
        self._reader.answered.connect(self._take)
        self._reader.refused.connect(self._cannot_look)
        self._state.events.project.connect(self._start_over)

    @property
    def closing_question(self) -> str:
        """What is lost by closing the window now, or ''."""
        if self._job is None:
            return ""
        return closing_text(self._job.of_this(self._found))

    def _start_over(self) -> None:
        """Another project: take up what it left unfinished."""
        self._source.list_runs()
        project = self._state.project
        if self._job is None and project is not None:
            left = load_window_settings().unfinished.get(str(project.path.resolve()))
            if left is not None:
                self._fill(left)
        self._look_soon()

    def _fill(self, request: FolderRequest) -> None:
        self._source.show_source(request.source, request.run)
        self._images.show_paths(request.inputs)
        self._inner.setChecked(request.recursive)
        self._place.edit.setText(request.out)
        pictures = ("overview",) if request.overview else ()
        self._output.show_chosen((*request.maps, *request.also, *pictures))

    def _propose_place(self) -> None:
        """Propose a folder beside the images, unless the user has chosen one."""
        if self._place.edit.text().strip() in {"", self._proposed}:
            self._proposed = proposed_place(self._images.paths)
            self._place.edit.setText(self._proposed)

    def _enable(self) -> None:
        inputs = (self._source, self._images, self._inner, self._place, self._output)
        for widget in inputs:
            widget.setEnabled(self._job is None)
        obstacle = self._obstacle()
        self._start.setEnabled(not obstacle)
        self._start.setToolTip(
            obstacle or f"Segment the images into {self._place.folder}"
        )
        self._why_not.say(obstacle if self._is_begun else "", "note")

    @property
    def _is_begun(self) -> bool:
        """Whether the user filled in something and waits for Start to be ready."""
        typed = (self._images.edit.text() + self._place.edit.text()).strip()
        return self._job is None and (bool(typed) or self._source.is_touched)

    def _obstacle(self) -> str:
        """Return why nothing can be segmented now, or ''."""
        if self._job is not None:
            return "Images are being segmented. Wait for it or stop it."
        return (
            self._source.obstacle
            or obstacle_of_images(self._images.paths)
            or self._obstacle_of_place()
            or ("" if self._output.maps else "Choose at least one map to write.")
        )

    def _obstacle_of_place(self) -> str:
        place = self._place.folder
        if not place.is_absolute():
            return "Choose a folder for the results."
        if place in folders_of_images(self._images.paths):
            return "Results cannot lie among the images. Choose another folder."
        if self._found is not None and self._found.is_running:
            return "Another program is writing results into this folder. Wait for it."
        return ""

    def _begin(self) -> None:
        if self._obstacle():
            return
        source, run = self._source.source
        request = FolderRequest(
            source=source,
            run=run,
            inputs=tuple(map(str, self._images.paths)),
            out=str(self._place.folder),
            maps=self._output.maps,
            also=self._output.also,
            overview=self._output.overview,
            recursive=self._inner.isChecked(),
        )
        self._found, self._result = None, None
        self._reader.drop()
        self._progress.begin()
        project = self._state.project
        self._job = Job(
            request=request,
            project=None if project is None else project.path,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            running=self._commands.run(request.arguments(), self._finish),
        )
        self._job.remember()
        self._timer.start(_LOOK_EVERY)
        self._enable()

    def _stop(self) -> None:
        if self._job is not None:
            self._job.running.stop()

    def _look_soon(self) -> None:
        """Look what is in the folder of the results, once it was typed."""
        if self._job is None:
            self._found = None
            self._progress.show_nothing()
            self._timer.start(_LOOK_AFTER)
        self._enable()

    def _look(self) -> None:
        """Read the ledger in a thread."""
        job = self._job
        out = self._place.folder if job is None else Path(job.request.out)
        if out.is_absolute():
            self._reader.ask(lambda: timed_ledger(out))

    def _take(self, answer: tuple[BatchProgress | None, float]) -> None:
        self._found, seconds = answer
        if self._job is None:
            self._tell_of_rest(self._found)
        elif self._result is not None:
            self._end(self._job, self._result)
        else:
            found = self._job.of_this(self._found)
            if found is not None:
                self._progress.go_on(found)
            pause = max(_LOOK_EVERY, round(1000 * seconds * _LOOK_SHARE))
            self._timer.start(pause)
        self._enable()

    def _cannot_look(self, sentence: str) -> None:
        self._found = None
        if self._job is not None and self._result is not None:
            self._end(self._job, self._result)
        elif self._job is None:
            self._progress.say(sentence, "problem")
        self._enable()

    def _tell_of_rest(self, found: BatchProgress | None) -> None:
        """Say how far the folder is, if a prediction into it did not end."""
        if found is not None and found.is_running:
            self._timer.start(_LOOK_AGAIN)
        elif found is not None and not found.has_ended:
            self._progress.say(rest_text(found), "note")

    def _finish(self, result: CommandResult) -> None:
        """Read the ledger a last time: :meth:`_end` follows."""
        self._result = result
        self._timer.stop()
        self._look()

    def _end(self, job: Job, result: CommandResult) -> None:
        found = job.of_this(self._found)
        self._job, self._result = None, None
        sentence, kind = end_text(result, found)
        self._progress.end(sentence, kind, found, Path(job.request.out))
        if found is not None and found.has_ended:
            job.forget()
        if not self.isVisible():
            (show_error if kind == "problem" else show_info)(sentence)
        self._source.list_runs()
