"""A process that waits, everything imported, for a run to train.

The window starts one when a project opens, so that a click on Train costs no import.
Both speak in JSON lines: a request has "ask", an answer "answer". With the answer
"run" the talk is over, and what happens next is told by the run folder.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning_fabric

from napari_mtseg.domain.errors import MtsegError, SettingsError, StorageError
from napari_mtseg.domain.events import RunStarted, TrainingFailed
from napari_mtseg.methods.catalog import CATALOG, load_method
from napari_mtseg.methods.protocol import Readiness
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, find_run
from napari_mtseg.workflows.devices import DEVICES, best_device, is_out_of_memory
from napari_mtseg.workflows.event_sentences import beginning_of, sentence_of
from napari_mtseg.workflows.readiness import PaintCounter, readiness_of
from napari_mtseg.workflows.run_requests import (
    RunRequest,
    requested_run,
    run_to_resume,
)
from napari_mtseg.workflows.train import train

Answer = Mapping[str, Any]
Say = Callable[[str], None]

ASKS = ("readiness", "train", "resume")


@dataclass(frozen=True, kw_only=True)
class AskedRun:
    """A run that the process was asked to train."""

    project: Project
    """its project, as it was when the run was asked for"""
    run: RunFolder
    """new, or to be resumed"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""


def ready() -> Answer:
    """Import what a training needs and return the first answer, with the devices."""
    for key in CATALOG:
        load_method(key)
    lightning_fabric.Fabric(accelerator="cpu", devices=1)
    return {"answer": "ready", "devices": list(usable_devices())}


def usable_devices() -> tuple[str, ...]:
    """Return the devices of this machine that torch can use, the CPU first."""
    found = []
    for name in DEVICES:
        if name != "auto":
            with suppress(SettingsError):
                found.append(best_device(name).type)
    return tuple(found)


def asked_run(
    project: Path, requests: Iterable[str], reply: Callable[[Answer], None]
) -> AskedRun | None:
    """Answer requests until one starts a run; None if there are no more of them.

    Parameters
    ----------
    project : Path
        Project folder; opened anew for each request, since it changes meanwhile.
    requests : iterable of str
        Lines of JSON. What is none, or asks for something unknown, is refused.
    reply : callable
        Called with each answer.
    """
    counter = PaintCounter()
    for line in requests:
        if not line.strip():
            continue
        try:
            request = _request_in(line)
            if request["ask"] == "readiness":
                reply(_readiness(Project.open(project), counter, request.get("run")))
                continue
            asked = _asked(Project.open(project), request)
        except MtsegError as error:
            reply({"answer": "refused", "message": str(error)})
            continue
        name, notices = asked.run.path.name, list(asked.notices)
        reply({"answer": "run", "run": name, "notices": notices})
        return asked
    return None


def train_to_the_end(asked: AskedRun, say: Say) -> None:
    """Train; whatever goes wrong, the run's events end with how it ended.

    Parameters
    ----------
    asked : AskedRun
        What to train.
    say : callable
        Called with a sentence for the log whenever something of note happens.

    Raises
    ------
    BaseException
        What ended the training, after it was written down.
    """
    run = asked.run
    for notice in asked.notices:
        say(f"note: {notice}")
    before = _state_of(run.events_file)
    try:
        for event in train(asked.project, run):
            if isinstance(event, RunStarted):
                say(beginning_of(event, run.path.name))
            elif text := sentence_of(event):
                say(text)
    except BaseException as error:
        sentence = why_it_failed(error)
        has_told = _state_of(run.events_file) != before and _ends_failed(run)
        # A lock that is held now is somebody else's, and so is the run.
        if not has_told and not is_locked(run.path):
            with suppress(StorageError):
                run.append(TrainingFailed(step=_last_step(run), message=sentence))
        say(sentence)
        raise


def why_it_failed(error: BaseException) -> str:
    """Return what ended a training, and the way on, for people."""
    if isinstance(error, MtsegError):
        return str(error)
    if is_out_of_memory(error):
        return (
            "The memory ran out. Close other programs and resume this run, or start a "
            "new one with a smaller patch or batch_size."
        )
    if isinstance(error, KeyboardInterrupt):
        return "The training was interrupted. Resume the run to go on."
    what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(" .:")
    return (
        f"The training stopped because of an error in the program: {what}. See the log."
    )


def _request_in(line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        raise SettingsError(
            f"The request {_shown(line)} is not JSON. Send one JSON object per line."
        ) from None
    ask = request.get("ask") if isinstance(request, dict) else None
    if ask not in ASKS:
        raise SettingsError(
            f"The request {_shown(line)} asks for nothing that is known. Its 'ask' "
            f"must be one of: {', '.join(ASKS)}."
        )
    return dict(request)


def _shown(line: str) -> str:
    text = line.strip()
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def _readiness(
    project: Project, counter: PaintCounter, run: Mapping[str, Any] | None
) -> Answer:
    """Return the readiness of every method, and of the run that is wanted, if any."""
    request = None if run is None else RunRequest.checked(run)
    report = readiness_of(project, counter, request)
    answer = {
        "answer": "readiness",
        "summary": report.summary,
        "methods": {key: _told(found) for key, found in report.methods.items()},
        "recommended": report.recommended,
        "reason": report.reason,
    }
    if request is None or report.asked is None:
        return answer
    return {**answer, "asked": {"method": request.method, **_told(report.asked)}}


def _told(found: Readiness) -> Mapping[str, Any]:
    return {"ready": not found.problems, **asdict(found)}


def _asked(project: Project, request: Mapping[str, Any]) -> AskedRun:
    values = {key: value for key, value in request.items() if key != "ask"}
    if request["ask"] == "train":
        run, notices = requested_run(project, RunRequest.checked(values))
        return AskedRun(project=project, run=run, notices=notices)
    name = values.get("run")
    if not isinstance(name, str):
        raise SettingsError("The request to resume names no run. Add 'run'.")
    with find_run(project.path, name).lock():
        run = run_to_resume(project, name)
    return AskedRun(project=project, run=run)


def _ends_failed(run: RunFolder) -> bool:
    return isinstance(next(reversed(run.events()), None), TrainingFailed)


def _last_step(run: RunFolder) -> int:
    return max((getattr(event, "step", 0) for event in run.events()), default=0)


def _state_of(file: Path) -> tuple[int, int]:
    """Return what changes when a line is added to a file, or it is written anew."""
    if not file.exists():
        return (0, 0)
    stat = file.stat()
    return (stat.st_ino, stat.st_size)
