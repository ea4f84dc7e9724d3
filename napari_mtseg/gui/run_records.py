"""What the window tells of earlier runs, read from their folders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.events import (
    Event,
    RunStarted,
    StepFinished,
    TrainingFailed,
    TrainingFinished,
    ValidationFinished,
)
from napari_mtseg.gui.curves import Series
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.run_folder import RunFolder, RunInfo, runs_of

Outcome = Literal["done", "stopped", "failed", "training", "cut off", "damaged"]

NOT_SET = "-"
"""what stands where a run does not have a setting"""

_SPEED_UNITS = {
    "channels",
    "levels",
    "pixels",
    "planes",
    "patches",
    "steps",
    "iterations",
}
_SPEED_NAMES = {"precision", "compile", "norm"}


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord:
    """One run, as a table, a comparison or an estimate needs it."""

    id: str
    """name of the run's folder"""
    method: str = ""
    """key of the method"""
    created: str = ""
    """local date and time"""
    device: str = ""
    seed: int = 0
    parent: str | None = None
    """what it started from: name of a run, or 'model NAME'"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome = "damaged"
    message: str = ""
    """why it failed or cannot be read, a sentence"""
    n_steps: int = 0
    total_steps: int = 0
    seconds_per_step: float | None = None
    """mean wall time of a step, with growth and validation; None if unknown"""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """of the best validation"""
    curves: Mapping[str, Series] = field(default_factory=dict)
    """'loss' and 'score' by step"""
    has_weights: bool = False
    """True if there are weights to predict with or to train on from"""
    can_resume: bool = False

    @property
    def title(self) -> str:
        """Name of the method for people."""
        return CATALOG[self.method].title if self.method in CATALOG else self.method

    @property
    def score(self) -> float | None:
        """Best validation score, 0..1; None if nothing was held out."""
        return self.metrics.get("score")


class RunReader:
    """Reads the runs of a project; those that did not change are not read again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Any, RunRecord]] = {}

    def records(self, project: Path) -> tuple[RunRecord, ...]:
        """Return the runs of a project, newest first; damaged ones say so."""
        return tuple(self._record(run) for run in reversed(runs_of(project)))

    def _record(self, run: RunFolder) -> RunRecord:
        stamp = (_stamp(run.events_file), _stamp(run.path / "metrics.json"))
        trains = is_locked(run.path)
        known = self._known.get(run.path)
        if known is not None and known[0] == stamp and not trains:
            return known[1]
        record = read_record(run, trains=trains)
        if not trains:
            self._known[run.path] = (stamp, record)
        return record


def read_record(run: RunFolder, *, trains: bool) -> RunRecord:
    """Read one run.

    Parameters
    ----------
    run : RunFolder
        Its folder; damage makes a record that says so.
    trains : bool
        True while a process trains it.
    """
    try:
        info, events = run.info, run.events()
    except (MtsegError, OSError) as error:
        return RunRecord(
            id=run.path.name, created=began_text(run.path.name), message=str(error)
        )
    outcome, message = _outcome(events, trains=trains)
    steps = [event for event in events if isinstance(event, StepFinished)]
    has_last = run.checkpoint("last").exists()
    return RunRecord(
        id=run.path.name,
        method=info.method,
        created=_local(info),
        device=info.device,
        seed=info.seed,
        parent=info.parent or (f"model {info.model}" if info.model else None),
        settings=info.settings,
        outcome=outcome,
        message=message,
        n_steps=steps[-1].step if steps else 0,
        total_steps=_total(events),
        seconds_per_step=_seconds_per_step(events),
        metrics=_best_metrics(events),
        curves=_curves(events),
        has_weights=run.checkpoint("best").exists(),
        can_resume=has_last and outcome in {"stopped", "failed", "cut off"},
    )


def differing_settings(records: Sequence[RunRecord]) -> dict[str, tuple[str, ...]]:
    """Return the settings in which runs differ: name -> value of each run."""
    tables = [
        {
            "method": record.title,
            "device": record.device,
            "seed": record.seed,
            "started from": record.parent or "new weights",
            **record.settings,
        }
        for record in records
    ]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = {
        name: tuple(_shown(table.get(name, NOT_SET)) for table in tables)
        for name in names
    }
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def estimated_seconds(
    records: Iterable[RunRecord],
    *,
    method: str,
    settings: Mapping[str, Any],
    units: Mapping[str, str],
) -> float | None:
    """Return how long a training will take, from the newest run that did the same.

    Parameters
    ----------
    records : iterable of RunRecord
        Earlier runs, newest first.
    method : str
        Key of the method.
    settings : mapping
        All settings of the run to come.
    units : mapping
        Setting -> its unit; sizes and counts decide how long a step takes.

    Returns
    -------
    float or None
        Seconds; None where no earlier run tells.
    """
    decisive = {
        name
        for name in settings
        if units.get(name) in _SPEED_UNITS or name in _SPEED_NAMES
    }
    for record in records:
        same = record.method == method and all(
            record.settings.get(name) == settings[name] for name in decisive
        )
        if same and record.total_steps and record.seconds_per_step is not None:
            return record.total_steps * record.seconds_per_step
    return None


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _local(info: RunInfo) -> str:
    try:
        return f"{datetime.fromisoformat(info.created).astimezone():%d %b %H:%M}"
    except ValueError:
        return info.created


def began_text(run_id: str, *, to_second: bool = False) -> str:
    """Return when a run began from its name, which is in UTC; else the name."""
    try:
        began = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return run_id
    return f"{began.astimezone():{'%d %b %H:%M:%S' if to_second else '%d %b %H:%M'}}"


def _outcome(events: Sequence[Event], *, trains: bool) -> tuple[Outcome, str]:
    if trains:
        return "training", ""
    for event in reversed(events):
        if isinstance(event, TrainingFinished):
            return ("done" if event.reason == "done" else "stopped"), ""
        if isinstance(event, TrainingFailed):
            return "failed", event.message
        if isinstance(event, StepFinished):
            break
    return "cut off", "It ended without a word: it was killed, or ran out of memory."


def _total(events: Sequence[Event]) -> int:
    totals = [e.total_steps for e in events if isinstance(e, RunStarted)]
    return totals[-1] if totals else 0


def _seconds_per_step(events: Sequence[Event]) -> float | None:
    """Mean over the steps but the first after each start, which reads the images."""
    seconds, is_first = [], True
    for event in events:
        if isinstance(event, RunStarted):
            is_first = True
        elif isinstance(event, StepFinished):
            if not is_first:
                seconds.append(event.seconds)
            is_first = False
    return sum(seconds) / len(seconds) if seconds else None


def _best_metrics(events: Sequence[Event]) -> Mapping[str, float]:
    for event in reversed(events):
        if isinstance(event, ValidationFinished) and event.is_best:
            return event.metrics
    return {}


def _curves(events: Sequence[Event]) -> dict[str, Series]:
    loss, score = Series(), Series()
    for event in events:
        if isinstance(event, StepFinished) and "total" in event.losses:
            loss.add(event.step, event.losses["total"])
        elif isinstance(event, ValidationFinished) and "score" in event.metrics:
            score.add(event.step, event.metrics["score"])
    return {"loss": loss, "score": score}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
