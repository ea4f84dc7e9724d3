"""How well the scores of doubt find failures, and checking it on held-out images."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.held_out import held_out_images
from napari_mtseg.gui.named_widgets import named_button, row_of
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.score_checks import (
    HELD_OUT,
    ScoreCheck,
    load_score_check,
    score_label,
)

NOTHING_HELD_OUT = (
    "How well doubt finds failures cannot be checked: no held-out image has full "
    "masks. On the Project page, set the split of some fully masked images to 'test'."
)
CHECKING = "Checking the scores on held-out images…"
STOPPED = "Stopped: the scores were not checked."
_TIP = (
    "Compares the predictions of the held-out images with their full masks, and tells "
    "how well the scores of doubt find the failures"
)


@dataclass(frozen=True, kw_only=True)
class CheckState:
    """What is known of the scores of a run, and on what they can be checked."""

    check: ScoreCheck | None
    """the check that holds; None without one"""
    n_held_out: int
    """held-out images with full masks of a person"""
    n_unpredicted: int
    """those of them that the run has not predicted"""

    def obstacle(self) -> str:
        """Return why the scores cannot be checked now, or ''."""
        n, missing = self.n_held_out, self.n_unpredicted
        if not n:
            return NOTHING_HELD_OUT
        if missing:
            return (
                f"{missing:,} of {n:,} held-out images with full masks "
                f"{'is' if missing == 1 else 'are'} not predicted by this run. Click "
                "Predict all images first."
            )
        return ""

    def news(self) -> str:
        """Return what to say where no check holds."""
        n = self.n_held_out
        return self.obstacle() or (
            f"It is not checked yet how well doubt finds failures: {n:,} held-out "
            f"image{' has' if n == 1 else 's have'} full masks to check it on."
        )


def read_check_state(project: Project, run_id: str) -> CheckState:
    """Read what is known of the scores of a run; slow for many held-out images."""
    folder = project.path / "predictions" / run_id
    held_out = held_out_images(project)
    return CheckState(
        check=load_score_check(folder),
        n_held_out=len(held_out),
        n_unpredicted=sum(not has_prediction(folder / e.id) for e in held_out),
    )


class ScoreCheckLine(QWidget):
    """A sentence on how well a score finds failures, and a button that checks it.

    Parameters
    ----------
    state : WindowState
        Tells the project.
    commands : Commands
        Runs `mtseg evaluate`.
    """

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("score_check_line")
        self._state, self._commands = state, commands
        self._run_id: str | None = None
        self._score = DEFAULT_SCORE
        self._known: CheckState | None = None
        self._running: RunningCommand | None = None
        self._project: Path | None = None
        self._is_wanted = False
        self._outcome = ""
        self._reading = NewestAnswer(self)
        self._lay_out()
        self._reading.answered.connect(self._take)
        self._button.clicked.connect(self.check)
        self._stop.clicked.connect(self._stop_now)
        state.events.project.connect(self._leave_project)
        state.predictions_changed.connect(self.refresh)
        state.annotation_saved.connect(self._refresh_held_out)
        state.images_changed.connect(self.refresh)
        self._show()

    def set_run(self, run_id: str | None) -> None:
        """Choose the run whose scores are told of; None for none."""
        if run_id != self._run_id:
            self._run_id, self._known = run_id, None
            self._outcome, self._is_wanted = "", False
            self.refresh()

    def set_score(self, score: str) -> None:
        """Choose the score that is told of."""
        self._score = score
        self._show()

    def after_prediction(self) -> None:
        """Check the scores once if that can be done: all images were predicted anew."""
        self._is_wanted = True
        self.refresh()

    def refresh(self) -> None:
        """Read in a thread what is known."""
        project, run_id = self._state.project, self._run_id
        if project is None or run_id is None:
            self._reading.drop()
            self._known = None
            self._show()
        else:
            self._reading.ask(partial(read_check_state, project, run_id))

    def check(self) -> None:
        """Check the scores on the held-out images, in the background."""
        project, run_id = self._state.project, self._run_id
        if project is None or run_id is None or self._obstacle():
            return
        self._project, self._outcome = project.path, ""
        options = ["--run", run_id, "--split", HELD_OUT, "--json"]
        args = ["evaluate", str(project.path), *options]
        self._running = self._commands.run(args, self._finish)
        self._show()

    def _lay_out(self) -> None:
        self._sentence = SentenceLabel("", "plain", self)
        self._sentence.setObjectName("score_check")
        self._button = named_button("check_scores", "Check the scores", self)
        self._progress = QProgressBar(self)
        self._progress.setObjectName("score_check_progress")
        self._progress.setRange(0, 0)
        self._progress.setToolTip(CHECKING)
        self._stop = named_button("stop_check", "Stop", self)
        self._stop.setToolTip("Stop checking; an earlier check is kept")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._sentence)
        column.addWidget(self._button)
        column.addLayout(row_of(self._progress, self._stop))

    def _obstacle(self) -> str:
        """Return why nothing can be checked now, or ''."""
        project = self._state.project
        if project is None or self._run_id is None or self._known is None:
            return "No predictions of a run are looked at."
        if self._running is not None:
            return CHECKING
        if is_locked(project.path / "runs" / self._run_id):
            return "This run is training. Check its scores when it has ended."
        return self._known.obstacle()

    def _refresh_held_out(self, image_id: str) -> None:
        """Read again if a held-out image was painted: it may be the first."""
        project = self._state.project
        if project is not None and project.image(image_id).split != "train":
            self.refresh()

    def _take(self, known: CheckState) -> None:
        self._known = known
        self._show()
        wanted, self._is_wanted = self._is_wanted, False
        if wanted:
            self.check()

    def _show(self) -> None:
        known, is_running = self._known, self._running is not None
        obstacle = self._obstacle()
        check = None if known is None else known.check
        if is_running:
            self._sentence.say(CHECKING)
        elif self._outcome:
            was_stopped = self._outcome == STOPPED
            self._sentence.say(self._outcome, "note" if was_stopped else "problem")
        elif check is not None:
            is_enough = check.is_enough and self._score in check.scores
            self._sentence.say(
                check.sentence(self._score), "ok" if is_enough else "note"
            )
        else:
            self._sentence.say("" if known is None else known.news(), "note")
        self._sentence.setToolTip("" if check is None else figures_in_words(check))
        self._button.setText("Check the scores" if check is None else "Check again")
        self._button.setEnabled(not obstacle)
        self._button.setToolTip(obstacle or _TIP)
        # Without held-out images the sentence says what to do, and there is no use.
        can_ever = known is not None and known.n_held_out > 0
        self._button.setVisible(can_ever and not is_running)
        for widget in (self._progress, self._stop):
            widget.setVisible(is_running)

    def _stop_now(self) -> None:
        if self._running is not None:
            self._stop.setEnabled(False)
            self._running.stop()

    def _leave_project(self) -> None:
        self._stop_now()
        self._run_id = None
        self._outcome, self._is_wanted = "", False
        self.refresh()

    def _finish(self, result: CommandResult) -> None:
        self._running = None
        self._stop.setEnabled(True)
        project = self._state.project
        if project is not None and project.path == self._project:
            if result.was_stopped and result.code:
                self._outcome = STOPPED
            else:
                self._outcome = result.sentence if result.code else ""
            self.refresh()
        self._show()


def figures_in_words(check: ScoreCheck) -> str:
    """Return a line per score: how well each tells failures."""
    lines = [
        f"{score_label(name)}: rank correlation with Dice {_number(found.spearman)}, "
        f"AUROC {_number(found.auroc)}"
        for name, found in check.scores.items()
    ]
    n, failed = check.n_images, check.n_failed
    lines.append(
        f"{n:,} image{'s' * (n != 1)}, of which {failed:,} failed (Dice below "
        f"{check.failure_below:g}), against {check.truth}"
    )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"
