"""Brings what a run tells, now or long ago, into the view of the Train page."""

from collections.abc import Mapping, Sequence

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.events import Event
from napari_mtseg.gui.run_history import RunHistory
from napari_mtseg.gui.run_records import RunRecord
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.trainer import Trainer
from napari_mtseg.gui.training_view import TrainingView
from napari_mtseg.storage.run_folder import RunFolder

CUT_OFF = (
    "This run ended without a word: it was killed, or ran out of memory. Resume goes "
    "on from its last checkpoint."
)


class LiveTraining(QObject):
    """Shows the run that trains; while none does, the one that is looked at.

    Parameters
    ----------
    state : WindowState
        Knows which run is looked at.
    trainer : Trainer
        Tells of the run that trains.
    view : TrainingView
        Where it is shown.
    history : RunHistory
        Knows the earlier runs.
    """

    began = Signal()
    """a run trains from now on"""
    ended = Signal()
    """no run trains any more"""

    def __init__(
        self,
        state: WindowState,
        trainer: Trainer,
        view: TrainingView,
        history: RunHistory,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._trainer = state, trainer
        self._view, self._history = view, history
        self._is_live = False
        trainer.started.connect(self._begin)
        trainer.happened.connect(self._happen)
        trainer.ended.connect(self._end)
        view.ended.connect(self._tell_end)
        view.stop_clicked.connect(self._stop)
        history.read.connect(self._show_past)
        state.events.project.connect(self._change_project)
        state.events.run_id.connect(self._change_run)
        state.events.image_id.connect(self._change_image)

    @property
    def is_live(self) -> bool:
        """True while the view shows a run that trains."""
        return self._is_live

    def _begin(self, run_id: str) -> None:
        self._trainer.look_at(self._state.image_id)
        self._show(run_id, title="Training", is_live=True)
        self._history.refresh()
        self.began.emit()

    def _happen(self, events: Sequence[Event]) -> None:
        run_id = self._trainer.run_id
        if run_id is not None and self._view.run_id != run_id:
            self._show(run_id, title="Training", is_live=True)
            self.began.emit()
        self._view.take(events)

    def _end(self, how: str, sentence: str) -> None:
        self._view.end(how, sentence)

    def _stop(self) -> None:
        self._view.set_stopping(True)
        self._trainer.stop()

    def _tell_end(self, how: str, sentence: str) -> None:
        if not self._is_live:
            self._tell_past(how)
            return
        self._is_live = False
        text = sentence
        if how == "done":
            text = done_sentence(self._view.progress.bar.value(), self._view.metrics)
        self._view.outcome.tell(how, text, can_resume=self._has_checkpoint())
        (show_error if how == "failed" else show_info)(text)
        self.ended.emit()

    def _has_checkpoint(self) -> bool:
        project, run_id = self._state.project, self._view.run_id
        if project is None or run_id is None:
            return False
        return RunFolder(project.path / "runs" / run_id).checkpoint("last").exists()

    def _show(self, run_id: str, *, title: str, is_live: bool) -> None:
        project = self._state.project
        if project is None:
            return
        self._is_live = is_live
        run = RunFolder(project.path / "runs" / run_id)
        self._view.begin(run, title, is_live=is_live)

    def _change_project(self) -> None:
        self._is_live = False
        self._view.forget()

    def _change_image(self) -> None:
        self._trainer.look_at(self._state.image_id)

    def _change_run(self) -> None:
        run_id = self._state.run_id
        if self._is_live or self._trainer.is_training or run_id == self._view.run_id:
            return
        if run_id is None:
            self._view.forget()
        else:
            self._history.ask_events(run_id)

    def _show_past(self, run_id: str, events: Sequence[Event]) -> None:
        record = self._history.record(run_id)
        if self._is_live or run_id != self._state.run_id or record is None:
            return
        if record.outcome in {"training", "damaged"}:
            return
        title = f"{record.title}, {record.created}"
        self._view.forget()
        self._show(run_id, title=title, is_live=False)
        self._view.take(events)
        self._view.end(record.outcome, record.message)

    def _tell_past(self, how: str) -> None:
        record = self._history.record(self._view.run_id or "")
        if record is not None:
            text, can_resume = past_sentence(record), record.can_resume
            self._view.outcome.tell(how, text, can_resume=can_resume)


def done_sentence(n_steps: int, metrics: Mapping[str, float]) -> str:
    """Return the figure that matters of a training that took all its steps."""
    score = metrics.get("score")
    if score is None:
        return (
            f"The training is done after {n_steps:,} steps. No image was held out, so "
            "there is no score: review the results, or export the model."
        )
    return (
        f"The training is done: validation Dice {score:.2f} after {n_steps:,} steps. "
        "Review the results, or export the model."
    )


def past_sentence(record: RunRecord) -> str:
    """Return how an earlier run ended."""
    at = f"step {record.n_steps:,} of {record.total_steps:,}"
    if record.outcome == "done":
        return done_sentence(record.n_steps, record.metrics)
    if record.outcome == "stopped":
        return f"Stopped at {at}. Resume goes on from there."
    if record.outcome == "cut off":
        return CUT_OFF if record.can_resume else record.message
    return record.message
