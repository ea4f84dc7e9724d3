"""The folder of one training: what went in, what happened, what came out.

::

    runs/RUN/
      run.json                  method, settings, seed, device, versions
      snapshot.json             images, split and annotations, see snapshot.py
      events.jsonl              appended by the training, see domain/events.py
      control.json              written by whoever watches: stop, current image
      writer.lock               held while the training lives
      checkpoints/              last.safetensors, best.safetensors, and kept-01, ...
                                of the last third of the run; start.safetensors where
                                it began with the weights of a model
      grown/003/ID.tif          growing labels after iteration 3; 000 is the start
      previews/ID.npz           latest prediction of the current image
      targets/ID/               maps to learn, while the run lasts, see target_files.py
      metrics.json              how the run ended
      log.txt                   what a training said that the window started
"""

import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError, RunError
from napari_mtseg.domain.events import Event, StepFinished, to_json_line
from napari_mtseg.domain.settings import Settings
from napari_mtseg.storage.event_reader import events_in
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.settings_files import read_settings
from napari_mtseg.storage.stored_array import DECODER_ERRORS
from napari_mtseg.storage.write import (
    append_line,
    clear_write_errors,
    read_json,
    write_bytes_atomically,
    write_json,
)

KEPT = "kept"
"""what the names of checkpoints begin with that are kept for an ensemble"""

START = "start"
"""name of the checkpoint with the weights of a model that a run starts from"""


class RunInfo(Settings):
    """What a run was started with."""

    id: str
    """name of the run's folder"""
    method: str
    """key of the method"""
    settings: dict[str, Any]
    """the method's settings, all of them"""
    seed: int
    """seed of everything random"""
    device: str
    """'cpu', 'cuda' or 'mps'"""
    created: str
    """ISO 8601 time, UTC"""
    versions: dict[str, str]
    """versions of Python and the libraries that matter"""
    classes: tuple[str, ...] = ()
    """names of classes 1, 2, ... when it began; empty in runs of older versions"""
    scenes: tuple[str, ...] = ()
    """names of the project's scenes when it began"""
    parent: str | None = None
    """run whose weights and grown labels this one started from"""
    model: str | None = None
    """name of the model whose weights it started from; they are the checkpoint START"""


class Control(Settings):
    """What the watcher of a training wishes; read between steps."""

    stop: bool = False
    """True: save a checkpoint and end"""
    current_image: str | None = None
    """id of the image to predict while training"""


@dataclass(frozen=True)
class RunFolder:
    """One run on disk; equal to another of the same path."""

    path: Path
    """folder of the run"""

    @property
    def info(self) -> RunInfo:
        """What the run was started with.

        Raises
        ------
        RunError
            If the folder holds no run.
        ProjectError
            If its run.json is damaged.
        """
        try:
            return read_settings(self.path / "run.json", RunInfo)
        except FileNotFoundError:
            project = self.path.parent.parent.name
            raise RunError(
                f"There is no run '{self.path.name}' in '{project}'. "
                "List the runs with 'mtseg project info'."
            ) from None

    @property
    def snapshot_file(self) -> Path:
        """Where the annotations of the run are frozen."""
        return self.path / "snapshot.json"

    @property
    def events_file(self) -> Path:
        """Where events are appended."""
        return self.path / "events.jsonl"

    @property
    def has_finished(self) -> bool:
        """True if the run took all its steps."""
        metrics = self.path / "metrics.json"
        return metrics.exists() and read_json(metrics).get("reason") == "done"

    def checkpoint(self, name: str) -> Path:
        """Return the file of the 'last', 'best' or 'start' checkpoint, or of a kept."""
        return self.path / "checkpoints" / f"{name}.safetensors"

    def kept_checkpoints(self) -> tuple[str, ...]:
        """Return the names of the checkpoints kept for an ensemble, oldest first."""
        files = (self.path / "checkpoints").glob(f"{KEPT}-*.safetensors")
        return tuple(sorted(file.stem for file in files))

    def lock(self) -> FolderLock:
        """Return the lock that is held while the training lives."""
        return FolderLock(self.path, purpose=f"run {self.path.name}")

    def control(self) -> Control:
        """Return the watcher's wishes; none where the file is missing or damaged."""
        try:
            return read_settings(self.path / "control.json", Control)
        except (OSError, ProjectError):
            return Control()

    def set_control(self, control: Control) -> None:
        """Tell the training something; it reads it before its next step."""
        write_json(self.path / "control.json", control.model_dump(mode="json"))

    def append(self, event: Event) -> None:
        """Append one event; a power cut may take steps, which can be done again."""
        durable = not isinstance(event, StepFinished)
        append_line(self.events_file, to_json_line(event), durable=durable)

    def events(self) -> tuple[Event, ...]:
        """Return all whole events; a line cut off by a crash is passed over."""
        if not self.events_file.exists():
            return ()
        return events_in(self.events_file.read_bytes())

    def rewrite_events(self, events: Iterable[Event]) -> None:
        """Replace the events: what came after the checkpoint is done again."""
        text = "".join(to_json_line(event) + "\n" for event in events)
        write_bytes_atomically(self.events_file, text.encode())

    def save_grown(
        self, iteration: int, image_id: str, objects: NDArray[np.uint32]
    ) -> str:
        """Save grown object ids and return the file's name inside the run folder."""
        name = self.grown_file(iteration, image_id)
        path = self.path / name
        content = BytesIO()
        tifffile.imwrite(content, objects, compression="zlib", photometric="minisblack")
        _write(path, content)
        return name

    def grown_file(self, iteration: int, image_id: str) -> str:
        """Return the name inside the run folder of grown object ids."""
        return f"grown/{iteration:03d}/{image_id}.tif"

    def load_grown(self, iteration: int, image_id: str) -> NDArray[np.uint32] | None:
        """Return grown object ids ([Z,] Y, X), or None where none were saved.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        path = self.path / self.grown_file(iteration, image_id)
        if not path.exists():
            return None
        try:
            return tifffile.imread(path).astype(np.uint32, copy=False)
        except DECODER_ERRORS as error:
            raise RunError(
                f"The grown labels '{path}' are damaged ({error}). Start a new run."
            ) from None

    def grown_parts(self, iteration: int, image_id: str) -> tuple[str, ...]:
        """Return the names of the labels that an image grew: its id, or of its parts.

        Parts are named by where they lie: the id, then '.y0-512_x0-512'.
        """
        part = re.compile(re.escape(image_id) + r"(\.(z\d+-\d+_)?y\d+-\d+_x\d+-\d+)?")
        files = sorted((self.path / f"grown/{iteration:03d}").glob("*.tif"))
        return tuple(file.stem for file in files if part.fullmatch(file.stem))

    def targets_folder(self, image_id: str) -> Path:
        """Return where the targets of an image are kept while the run lasts."""
        return self.path / "targets" / image_id

    def forget_targets(self) -> None:
        """Remove all targets: the run has taken its last step."""
        shutil.rmtree(self.path / "targets", ignore_errors=True)

    def last_iteration(self) -> int:
        """Return the number of the last growth whose labels were saved, 0 at least."""
        names = [p.name for p in (self.path / "grown").glob("[0-9]*")]
        return max((int(name) for name in names if name.isdigit()), default=0)

    def save_preview(self, image_id: str, maps: Mapping[str, NDArray[Any]]) -> str:
        """Save maps of the current image and return the file's name in the run."""
        name = f"previews/{image_id}.npz"
        path = self.path / name
        content = BytesIO()
        arrays: dict[str, Any] = dict(maps)
        np.savez(content, **arrays)
        _write(path, content)
        return name


def _write(path: Path, content: BytesIO) -> None:
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, content.getbuffer())


def new_run_folder(project: Path, info_without_id: Mapping[str, Any]) -> RunFolder:
    """Make the folder of a new run, named after the time and the method.

    Each run has a second of its own, so that the order of names is that of time.

    Raises
    ------
    StorageError
        If the project cannot be written.
    """
    now = datetime.now(UTC)
    runs = project / "runs"
    with clear_write_errors(runs):
        runs.mkdir(parents=True, exist_ok=True)
        path = _new_path(runs, now, info_without_id["method"])
    info = RunInfo.checked(
        {
            **info_without_id,
            "id": path.name,
            "created": now.isoformat(timespec="seconds"),
        }
    )
    write_json(path / "run.json", info.model_dump(mode="json"))
    return RunFolder(path)


def _new_path(runs: Path, now: datetime, method: str) -> Path:
    second = now
    while True:
        stamp = f"{second:%Y%m%d-%H%M%S}"
        path = runs / f"{stamp}-{method}"
        if not any(runs.glob(f"{stamp}-*")):
            with suppress(FileExistsError):
                path.mkdir()
                return path
        second += timedelta(seconds=1)


def runs_of(project: Path) -> tuple[RunFolder, ...]:
    """Return the runs of a project, oldest first."""
    return tuple(
        RunFolder(path.parent) for path in sorted((project / "runs").glob("*/run.json"))
    )


def find_run(project: Path, name: str | None) -> RunFolder:
    """Return a run by name, or the newest one.

    Raises
    ------
    RunError
        If there is no such run.
    """
    runs = runs_of(project)
    if not runs:
        asked = "" if name is None else f", so none of the name '{name}'"
        raise RunError(
            f"'{project.name}' has no run yet{asked}. Start one with "
            f"'mtseg train {project.name}'."
        )
    if name is None:
        return runs[-1]
    for run in runs:
        if run.path.name == name:
            return run
    known = ", ".join(run.path.name for run in runs)
    raise RunError(f"'{project.name}' has no run '{name}'. Its runs: {known}.")
