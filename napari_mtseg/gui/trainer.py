"""The waiting child and the run that trains, as one object for the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.events import Noticed
from napari_mtseg.gui.child_process import MTSEG, ChildProcess
from napari_mtseg.gui.run_follower import PACE, Pace, RunFollower
from napari_mtseg.gui.run_watch import RunWatch
from napari_mtseg.gui.waiting_child import WaitingRoom
from napari_mtseg.storage.event_reader import EventReader
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.run_folder import RunFolder

NEXT_CHILD_AFTER = 20.0
"""Seconds from the start of a training until the next child begins to import."""


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """A run that the user wants."""

    method: str
    """key of the method"""
    preset: str
    """'fast', 'balanced', 'paper' or a variant of the method"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """settings that differ from the preset"""
    seed: int = 0
    """seed of everything random"""
    device: str = "auto"
    """'auto', 'cpu', 'cuda' or 'mps'"""
    parent: str | None = None
    """run whose weights and grown labels to start from, or path of a model"""


@dataclass(frozen=True, kw_only=True)
class MethodReadiness:
    """Whether one method can be trained on what is painted."""

    ready: bool
    """True if it can"""
    problems: tuple[str, ...] = ()
    """what is missing, a sentence each; empty if it is ready"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""


@dataclass(frozen=True, kw_only=True)
class ReadinessReport:
    """What all the paint of the project allows."""

    summary: str
    """what is painted, one sentence; or why that could not be told"""
    methods: Mapping[str, MethodReadiness]
    """key of a method -> its readiness; empty if that could not be told"""
    recommended: str
    """key of the method that suits the paint best; '' if that could not be told"""
    reason: str
    """why that one, one sentence"""
    asked: tuple[str, MethodReadiness] | None = None
    """key of a method, and its readiness with the settings that were asked for; None
    if that could not be told"""


class Trainer(QObject):
    """Keeps a child process waiting, hands it runs and tells how they go.

    Signals, all in the thread that made this object:

    ``prepared()``
        A child has torch loaded; a run would start at once.
    ``readiness_changed(ReadinessReport)``
        The answer to :meth:`ask_readiness`.
    ``devices_changed(tuple of str)``
        Devices that can be trained on.
    ``started(str)``
        The run of this name is watched; its events follow from the first one on.
    ``refused(str)``
        Nothing was started, and why.
    ``happened(tuple of Event)``
        Events in order. A ``RunStarted`` takes back all events of later steps than its
        ``resumed_at`` (all events, where that is 0).
    ``ended(str, str)``
        'done', 'stopped' or 'failed', and a sentence.

    Parameters
    ----------
    parent : QObject, optional
        Owner.
    mtseg : sequence of str
        The command `mtseg`.
    pace : Pace
        How often a run is looked at.
    next_child_after : float
        Seconds from the start of a training until the next child is started.
    """

    prepared = Signal()
    readiness_changed = Signal(object)
    devices_changed = Signal(object)
    started = Signal(str)
    refused = Signal(str)
    happened = Signal(object)
    ended = Signal(str, str)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        mtseg: Sequence[str] = MTSEG,
        pace: Pace = PACE,
        next_child_after: float = NEXT_CHILD_AFTER,
    ) -> None:
        super().__init__(parent)
        self._pace = pace
        self._project: Path | None = None
        self._watch: RunWatch | None = None
        self._run_id: str | None = None
        self._image_id: str | None = None
        self._devices: tuple[str, ...] = ()
        self._is_asked = False
        self._wants_stop = False
        self._old_events: EventReader | None = None
        self._room = WaitingRoom(mtseg, next_child_after, parent=self)
        self._room.ready.connect(self._on_ready)
        self._room.readiness.connect(self._on_readiness)
        self._room.replied.connect(self._on_reply)
        self._room.lost.connect(self._refuse)

    @property
    def is_training(self) -> bool:
        """True from the request for a run until it has ended or was refused."""
        return self._is_asked or self._watch is not None

    @property
    def run_id(self) -> str | None:
        """Run that trains, or that was watched last in this project."""
        return self._run_id

    def prepare(self, project_path: Path | None) -> None:
        """Start the child that waits for runs of a project; None: of no project.

        A training of the project before goes on unwatched.
        """
        if project_path != self._project:
            self.release()
            self._project = project_path
            self._room.open(project_path)
        self._room.fill()

    def ask_readiness(self, request: TrainRequest | None = None) -> None:
        """Ask what the paint on disk allows; answered by ``readiness_changed``.

        While one question is open, more of them become one, the last. Shortly after a
        training began the answer waits for the next child.

        Parameters
        ----------
        request : TrainRequest, optional
            A run whose settings may stand in the way as well.
        """
        if request is None:
            self._room.ask_readiness()
        else:
            self._room.ask_readiness(run=asdict(request))

    def train(self, request: TrainRequest) -> None:
        """Start a run; ``started`` or ``refused`` follows."""
        if self._may_start():
            self._old_events = None
            self._is_asked = True
            self._room.ask_for_run("train", **asdict(request))

    def resume(self, run_id: str) -> None:
        """Go on with a run that was stopped; ``started`` or ``refused`` follows."""
        if self._may_start():
            file = self._run_folder(run_id).events_file
            self._old_events = EventReader(file, skip=True)
            self._is_asked = True
            self._room.ask_for_run("resume", run=run_id)

    def watch(self, run_id: str) -> bool:
        """Watch a run that trains already; False if it does not.

        Its events so far come at once, in one tuple.
        """
        if self.is_training:
            return run_id == self._run_id
        if self._project is None or not is_locked(self._run_folder(run_id).path):
            return False
        self._begin(run_id, None)
        return True

    def stop(self) -> None:
        """Ask the training to save and end.

        It is ended by force if it does not answer; the last checkpoint counts.
        """
        if self._watch is not None:
            self._watch.stop()
        elif self._is_asked and self._room.is_ready:
            self._wants_stop = True
        elif self._is_asked:
            self._room.kill_idle()
            self._refuse("Stopped before the training began.")
            self._room.fill()

    def look_at(self, image_id: str | None) -> None:
        """Name the image whose prediction is refreshed while training."""
        self._image_id = image_id
        if self._watch is not None:
            self._watch.look_at(image_id)

    def kill_idle(self) -> None:
        """End the waiting child at once; the next question or run starts another."""
        self._room.kill_idle()
        if self._is_asked:
            self._refuse("The process that waits for runs was ended. Try again.")

    def release(self) -> None:
        """End the idle child and all watching; a training goes on unless stopped."""
        if self._wants_stop:
            self._room.kill_idle()
        self._end_watch()
        self._room.close()
        self._project = None
        self._run_id = None
        self._is_asked = self._wants_stop = False

    def _may_start(self) -> bool:
        if self._project is None:
            self.refused.emit("No project is open. Open one, then train.")
        elif self.is_training:
            self.refused.emit("A training is going on. Stop it, then start another.")
        else:
            return True
        return False

    def _run_folder(self, run_id: str) -> RunFolder:
        if self._project is None:
            raise RuntimeError("no project is open")
        return RunFolder(self._project / "runs" / run_id)

    def _begin(
        self, run_id: str, child: ChildProcess | None, notices: Sequence[str] = ()
    ) -> None:
        run = self._run_folder(run_id)
        reader = self._old_events or EventReader(run.events_file)
        self._old_events = None
        follower = RunFollower(run, reader=reader, child=child, pace=self._pace)
        if self._image_id is not None:
            follower.wish(current_image=self._image_id)
        self._run_id = run_id
        self._watch = RunWatch(follower, parent=self)
        self._watch.happened.connect(self.happened)
        self._watch.ended.connect(self._on_end)
        self.started.emit(run_id)
        if notices:
            self.happened.emit(tuple(Noticed(message=notice) for notice in notices))

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
            watch.deleteLater()

    def _refuse(self, sentence: str) -> None:
        self._is_asked = self._wants_stop = False
        self.refused.emit(sentence)

    def _on_ready(self, devices: tuple[str, ...]) -> None:
        if devices != self._devices:
            self._devices = devices
            self.devices_changed.emit(devices)
        self.prepared.emit()

    def _on_readiness(self, answer: Mapping[str, Any]) -> None:
        self.readiness_changed.emit(_report(answer))

    def _on_reply(self, answer: Mapping[str, Any], child: ChildProcess) -> None:
        if answer["answer"] != "run":
            self._refuse(str(answer.get("message", "The training was refused.")))
            return
        wants_stop, self._wants_stop = self._wants_stop, False
        self._begin(str(answer["run"]), child, tuple(answer.get("notices", ())))
        self._is_asked = False
        if wants_stop:
            self.stop()

    def _on_end(self, how: str, sentence: str) -> None:
        self._end_watch()
        self.ended.emit(how, sentence)
        self._room.fill()


def _report(answer: Mapping[str, Any]) -> ReadinessReport:
    if answer["answer"] != "readiness":
        why = str(answer.get("message", "What the paint allows could not be told."))
        return ReadinessReport(summary=why, methods={}, recommended="", reason=why)
    asked = answer.get("asked")
    return ReadinessReport(
        summary=answer["summary"],
        methods={key: _readiness(told) for key, told in answer["methods"].items()},
        recommended=answer["recommended"],
        reason=answer["reason"],
        asked=None if asked is None else (asked["method"], _readiness(asked)),
    )


def _readiness(told: Mapping[str, Any]) -> MethodReadiness:
    return MethodReadiness(
        ready=told["ready"],
        problems=tuple(told["problems"]),
        notices=tuple(told["notices"]),
    )
