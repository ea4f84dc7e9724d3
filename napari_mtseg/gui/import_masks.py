"""Existing masks into the open project, read by a command of `mtseg`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.sentence_label import Kind
from napari_mtseg.gui.state import WindowState

_LABELS_FILE = "labels.json"
_WORDS = (
    ("Replace them on purpose with --overwrite.", "To replace them, tick 'Replace'."),
    ("choose --mask-values objects if", "choose 'Each value is an object' if"),
    ("choose --mask-values classes.", "choose 'Each value is a class'."),
)
"""sentences of the command, and what they say in the window"""
_N_SHOWN = 3
"""files named in the answer"""


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """Which masks are read, and as what."""

    source: Path
    """a label image, a folder of them, or a folder of exported labels"""
    kind: str = "full"
    """'full', 'partial' or 'scribble'; of no account for exported labels"""
    values: str = "objects"
    """'objects' or 'classes': what the values of full and partial masks mean"""
    overwrite: bool = False
    """True to replace what is painted already"""

    def arguments(self, project: Path) -> list[str]:
        """Return the arguments of `mtseg` that read the masks."""
        args = ["project", "import", str(project), str(self.source), "--json"]
        if not is_export(self.source):
            args += ["--kind", self.kind, "--mask-values", self.values]
        return [*args, "--overwrite"] if self.overwrite else args


def is_export(source: Path) -> bool:
    """Tell whether ``source`` is a folder of labels exported from a project."""
    return (source / _LABELS_FILE).is_file()


class MaskImport(QObject):
    """Reads masks with the command, and opens the project again afterwards.

    The command needs the lock of the annotations, which the window holds while a
    project is open: so the project is closed meanwhile.

    Parameters
    ----------
    state : WindowState
        Whose project gets the masks.
    editing : Editing
        Saved before.
    commands : Commands
        Starts the command.
    parent : QObject, optional
        Owner.
    """

    ended = Signal(str, str)
    """what was imported, in a sentence, and its kind: 'ok', 'note' or 'problem'"""

    def __init__(
        self,
        state: WindowState,
        editing: Editing,
        commands: Commands,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._editing, self._commands = state, editing, commands
        self._running: RunningCommand | None = None
        self._before: tuple[str | None, str | None] = (None, None)

    @property
    def is_running(self) -> bool:
        """True while masks are read."""
        return self._running is not None

    def start(self, request: ImportRequest) -> None:
        """Read the masks; the answer comes as ``ended``."""
        project = self._state.project
        if project is None or self.is_running:
            return
        if not self._editing.flush():
            self.ended.emit(self._state.saving, "problem")
            return
        path = project.path
        self._before = (self._state.image_id, self._state.run_id)
        self._state.close_project()
        show_info("Importing masks. The project opens again when they are read.")
        self._running = self._commands.run(
            request.arguments(path), lambda result: self._finish(path, result)
        )

    def stop(self) -> None:
        """End reading; images that were done keep their masks."""
        if self._running is not None:
            self._running.stop()

    def _finish(self, path: Path, result: CommandResult) -> None:
        self._running = None
        if self._state.project is None and not self._open_again(path):
            return
        self.ended.emit(*what_was_imported(result))

    def _open_again(self, path: Path) -> bool:
        image_id, run_id = self._before
        try:
            self._state.open_project(path)
        except MtsegError as error:
            show_error(str(error))
            return False
        project = self._state.project
        if project is not None and any(e.id == image_id for e in project.images):
            self._state.image_id = image_id
        self._state.run_id = self._state.run_id or run_id
        self._state.page = "annotate"
        return True


def what_was_imported(result: CommandResult) -> tuple[str, Kind]:
    """Return what the command did in words of the window, and how it is to be shown."""
    report = _report_in(result.stdout)
    if result.was_stopped:
        return "The import was stopped; images that were done keep their masks.", "note"
    if report is None:
        kind: Kind = "problem" if result.code else "ok"
        return _in_window_words(result.sentence or "The masks were imported."), kind
    n_images, failed = len(report["imported"]), dict(report["failed"])
    count = "1 image" if n_images == 1 else f"{n_images} images"
    sentences = [f"Masks of {count} were imported."]
    if failed:
        more = len(failed) - _N_SHOWN
        sentences.append(f"{len(failed)} could not be used:")
        sentences += list(failed.values())[:_N_SHOWN]
        sentences += [f"And {more} more."] if more > 0 else []
    if unmatched := report["unmatched"]:
        sentences.append(
            f"{len(unmatched)} files fit no image of the project, such as "
            f"'{unmatched[0]}'."
        )
    sentences += report["notices"]
    has_more = len(sentences) > 1
    kind = "problem" if failed and not n_images else "note" if has_more else "ok"
    return _in_window_words(" ".join(sentences)), kind


def _report_in(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    keys = {"imported", "failed", "unmatched", "notices"}
    return found if isinstance(found, dict) and keys <= found.keys() else None


def _in_window_words(sentence: str) -> str:
    for said, meant in _WORDS:
        sentence = sentence.replace(said, meant)
    return sentence
