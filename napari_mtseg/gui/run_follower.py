"""What is read of a run that trains in another process, and what it is told."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from threading import Lock
from time import monotonic
from typing import Any

import psutil

from napari_mtseg.domain.errors import MtsegError, StorageError
from napari_mtseg.domain.events import (
    CheckpointSaved,
    Event,
    RunStarted,
    TrainingFailed,
    TrainingFinished,
)
from napari_mtseg.gui.child_process import ChildProcess
from napari_mtseg.storage.event_reader import EventReader
from napari_mtseg.storage.locks import OWNER_FILE, is_locked
from napari_mtseg.storage.run_folder import RunFolder, runs_of


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often a run is looked at, and for how long it is waited for; seconds."""

    read: float = 0.15
    """between two looks at the events"""
    lock: float = 1.0
    """between two looks at the lock, and at a stop that may have been overwritten"""
    stop: float = 10.0
    """from the wish to stop to the end by force"""


PACE = Pace()


def training_run(project: Path) -> str | None:
    """Return the newest run of a project that is training now, in any process."""
    for run in reversed(runs_of(project)):
        if is_locked(run.path):
            return run.path.name
    return None


class RunFollower:
    """What a run tells and is told; no Qt, and all of it blocks a little.

    Parameters
    ----------
    run : RunFolder
        The run.
    reader : EventReader
        Where its events come from.
    child : ChildProcess, optional
        The process that trains it, if it is ours.
    pace : Pace
        How patient to be.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        reader: EventReader,
        child: ChildProcess | None = None,
        pace: Pace = PACE,
    ) -> None:
        self._run = run
        self._reader = reader
        self._child = child
        self.pace = pace
        self._wishes: dict[str, Any] = {}
        self._wishing = Lock()
        self._ending: TrainingFinished | TrainingFailed | None = None
        self._stop_wished: float | None = None
        self._next_look = 0.0
        self._free_since: float | None = None
        self._was_killed = False

    def wish(self, **wishes: Any) -> None:
        """Note fields of the run's control, for :meth:`tell_wishes`; any thread."""
        with self._wishing:
            self._wishes.update(wishes)
            if wishes.get("stop") and self._stop_wished is None:
                self._stop_wished = monotonic()

    def tell_wishes(self) -> None:
        """Write new wishes down, keeping the others.

        Raises
        ------
        StorageError
            If they cannot be written; they stay to be told.
        """
        with self._wishing:
            wishes, self._wishes = self._wishes, {}
        if not wishes:
            return
        try:
            self._run.set_control(self._run.control().changed(wishes))
        except FileNotFoundError:
            return  # somebody deleted the run
        except (MtsegError, OSError) as error:
            with self._wishing:
                self._wishes = {**wishes, **self._wishes}
            if isinstance(error, MtsegError):
                raise
            raise StorageError(
                f"The training cannot be told anything: '{self._run.path}' could not "
                f"be written ({error.strerror}). Look at the disk; it is tried again."
            ) from error

    def new_events(self) -> tuple[Event, ...]:
        """Return the events since the last call."""
        new = self._reader.new_events()
        for event in new:
            if isinstance(event, RunStarted):
                self._ending = None
            elif isinstance(event, TrainingFinished | TrainingFailed):
                self._ending = event
        return new

    def is_over(self) -> bool:
        """Tell whether nobody trains the run any more; ends one that will not stop."""
        now = monotonic()
        is_gone = self._child is not None and not self._child.is_running()
        if not is_gone and self._ending is None and now < self._next_look:
            return False
        self._next_look = now + self.pace.lock
        self._insist_on_stop(now)
        if is_locked(self._run.path):
            self._free_since = None
            return False
        if self._ending is not None or is_gone:
            return True
        if self._child is not None:
            return False
        # Somebody else's training may free the lock just before its last words.
        self._free_since = self._free_since or now
        return now - self._free_since >= self.pace.lock

    def outcome(self) -> tuple[str, str]:
        """Return how a run that is over ended, and a sentence about it."""
        ending = self._ending
        if isinstance(ending, TrainingFailed):
            return "failed", ending.message
        if isinstance(ending, TrainingFinished) and ending.reason == "done":
            score = ending.metrics.get("score")
            scored = "" if score is None else f", validation Dice {score:.3f}"
            return "done", f"The training is done after {ending.step} steps{scored}."
        if isinstance(ending, TrainingFinished):
            return "stopped", (
                f"The training was stopped at step {ending.step}. The best so far is "
                "kept; Resume goes on from there."
            )
        if self._was_killed:
            return "stopped", (
                f"The training did not stop within {self.pace.stop:g} s and was "
                f"ended. {self._way_on()}"
            )
        return "failed", (
            "The training ended without a word (it may have been killed or run out "
            f"of memory). {self._way_on()}"
        )

    def _way_on(self) -> str:
        steps = [e.step for e in self._run.events() if isinstance(e, CheckpointSaved)]
        if not steps:
            return "It had not saved a checkpoint yet: Resume begins it again."
        if self._was_killed:
            return f"The last checkpoint counts; Resume goes on from step {steps[-1]}."
        return f"Nothing is lost: Resume goes on from step {steps[-1]}."

    def _insist_on_stop(self, now: float) -> None:
        if self._stop_wished is None or self._ending is not None:
            return
        if now - self._stop_wished >= self.pace.stop:
            self._was_killed |= self._kill()
        elif not self._run.control().stop:
            self.wish(stop=True)

    def _kill(self) -> bool:
        pids = [_owner_pid(self._run.path)]
        if self._child is not None and self._child.is_running():
            pids.append(self._child.pid)
        killed = [_killed(pid) for pid in pids if pid is not None]
        return any(killed)


def _owner_pid(folder: Path) -> int | None:
    """Return who holds the lock of a run, if that is a training on this machine."""
    try:
        owner = json.loads((folder / OWNER_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(owner, Mapping) or owner.get("host") != gethostname():
        return None
    pid = owner.get("pid")
    if not isinstance(pid, int) or not is_locked(folder):
        return None
    with suppress(psutil.Error):
        if any("mtseg" in part for part in psutil.Process(pid).cmdline()):
            return pid
    return None


def _killed(pid: int) -> bool:
    """Kill a process and those that it started; tell whether it was there."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        return True
    return False
