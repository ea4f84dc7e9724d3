"""Facts that a training or prediction reports, in the past tense.

Each event is one JSON line of a run's ``events.jsonl``; arrays travel as files of
the run folder, named in the event.
"""

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, get_args


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run began, or went on after it had been stopped."""

    kind: ClassVar[str] = "run_started"
    method: str
    total_steps: int
    device: str
    resumed_at: int
    """step at which it went on; 0 for a new run"""


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """Something the user should know, as one sentence."""

    kind: ClassVar[str] = "noticed"
    message: str


@dataclass(frozen=True, kw_only=True)
class StageStarted:
    """The next stage of a method began."""

    kind: ClassVar[str] = "stage_started"
    name: str
    index: int
    of: int
    step: int


@dataclass(frozen=True, kw_only=True)
class StepFinished:
    """One optimiser step was taken."""

    kind: ClassVar[str] = "step_finished"
    step: int
    """1 for the first"""
    of: int
    losses: dict[str, float]
    """weighted loss terms by name, and 'total'"""
    seconds: float
    """wall time since the previous step ended"""


@dataclass(frozen=True, kw_only=True)
class LabelsGrown:
    """The growing labels of all partially annotated images were enlarged once."""

    kind: ClassVar[str] = "labels_grown"
    step: int
    iteration: int
    """1 for the first update; iteration 0 is what the person painted"""
    grown_share: float
    """pixels added, as a share of the pixels labelled before"""
    files: dict[str, str]
    """image id -> file of the run folder with the grown object ids"""


@dataclass(frozen=True, kw_only=True)
class PreviewReady:
    """The current image was predicted with the weights of this moment."""

    kind: ClassVar[str] = "preview_ready"
    step: int
    image: str
    file: str


@dataclass(frozen=True, kw_only=True)
class ValidationFinished:
    """The network was scored on annotations held out from training."""

    kind: ClassVar[str] = "validation_finished"
    step: int
    metrics: dict[str, float]
    """by name; 'score' is the one that chooses the best checkpoint"""
    is_best: bool


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved:
    """The run can be resumed from here."""

    kind: ClassVar[str] = "checkpoint_saved"
    step: int
    file: str


@dataclass(frozen=True, kw_only=True)
class TrainingFinished:
    """The run ended in order."""

    kind: ClassVar[str] = "training_finished"
    step: int
    reason: str
    """'done' or 'stopped'"""
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class TrainingFailed:
    """The run ended with an error that the user can read."""

    kind: ClassVar[str] = "training_failed"
    step: int
    message: str


Event = (
    RunStarted
    | Noticed
    | StageStarted
    | StepFinished
    | LabelsGrown
    | PreviewReady
    | ValidationFinished
    | CheckpointSaved
    | TrainingFinished
    | TrainingFailed
)

_BY_KIND: dict[str, type[Any]] = {event.kind: event for event in get_args(Event)}


def to_json_line(event: Event) -> str:
    """Return the event as one line of JSON, without a line break.

    NaN and infinity, which JSON does not have, are written as null.
    """
    values = {"event": event.kind, **_finite(asdict(event))}
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


def from_json_line(line: str) -> Event:
    """Return the event of one JSON line.

    Fields that a newer version of the program may have added are passed over. A
    number that is null is NaN.

    Raises
    ------
    ValueError
        If the line is no event: cut off in the middle, of an unknown kind, or
        without a field that its kind has.
    """
    values = json.loads(line)
    kind = values.get("event") if isinstance(values, dict) else None
    event = _BY_KIND.get(kind) if isinstance(kind, str) else None
    if event is None or any(field.name not in values for field in fields(event)):
        raise ValueError(f"not an event: {line[:80]!r}")
    found: Event = event(
        **{field.name: _with_nan(values[field.name]) for field in fields(event)}
    )
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _with_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_nan(item) for key, item in value.items()}
    return math.nan if value is None else value
