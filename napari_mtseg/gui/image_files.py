"""Getting image files into the open project, and finding those that were moved."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QGridLayout, QMenu, QPushButton, QWidget

from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import Kind, SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.project import Project

MAX_SAID = 4
"""failures that are said one by one"""

_ADDING = "Adding images. You can go on working."
_FINDING = "Looking for the images by their content. You can go on working."
_BUSY = "Wait until the present work has ended, or stop it."

Said = tuple[str, Kind]


class ImageFiles(QWidget):
    """Buttons that add images and find moved ones, and what came of it.

    Parameters
    ----------
    state : WindowState
        Its project gets the images; ``images_changed`` is emitted then.
    commands : Commands
        Runs what is slow.
    parent : QWidget, optional
        Qt parent.
    """

    files_changed = Signal()
    """images were added or found again, and the open project has them"""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._commands = commands
        self._running: RunningCommand | None = None
        self._n_missing = 0
        self._reader = NewestAnswer(self)
        self._reader.answered.connect(self._take_images)
        self._reader.refused.connect(lambda text: self._said.say(text, "problem"))
        self._build()
        state.closing.connect(self.stop)
        state.events.project.connect(self._forget)

    def add_images(self, paths: list[Path], *, copy: bool = False) -> None:
        """Add image files, or the images of folders, in a child process."""
        options = ["--copy"] * copy + ["--json"]
        if paths:
            self._run("add", [*map(str, paths), *options], _ADDING, added_in_words)

    def find_moved(self, folder: Path) -> None:
        """Look for missing images in ``folder`` and below, by their content."""
        self._run("relink", [str(folder), "--json"], _FINDING, _found_in_words)

    def say_missing(self, n_missing: int) -> None:
        """Tell how many image files are not where they were."""
        self._n_missing = n_missing
        self._enable()

    def read_images(self) -> None:
        """Read the images of the open project again; another process changed them."""
        project = self._state.project
        if project is not None:
            self._reader.ask(lambda: Project.open(project.path))

    def stop(self) -> None:
        """Stop the command that runs, if any."""
        if self._running is not None:
            self._running.stop()

    def _build(self) -> None:
        self._said = SentenceLabel()
        self._said.setObjectName("image_files_message")
        self._add = _button("Add images…", "add_images")
        menu = QMenu(self._add)
        menu.setToolTipsVisible(True)
        menu.addAction("All images of a folder…").triggered.connect(self._ask_folder)
        menu.addAction("Single files…").triggered.connect(self._ask_files)
        menu.addSeparator()
        self._copy = menu.addAction("Keep copies in the project")
        self._copy.setCheckable(True)
        self._copy.setToolTip(
            "Copy the files into the project folder. Otherwise the project refers to "
            "them where they are."
        )
        self._add.setMenu(menu)
        self._find = _button("Find moved images…", "find_moved_images")
        self._find.clicked.connect(self._ask_moved)
        self._stop = _button("Stop", "stop_image_files")
        self._stop.setToolTip("Stop; images that are in already stay.")
        self._stop.clicked.connect(self.stop)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self._said, 0, 0, 1, 2)
        grid.addWidget(self._add, 1, 0)
        grid.addWidget(self._find, 1, 1)
        grid.addWidget(self._stop, 2, 0, 1, 2)
        self._enable()

    def _enable(self) -> None:
        busy, n = self._running is not None, self._n_missing
        self._stop.setVisible(busy)
        self._add.setEnabled(not busy)
        self._add.setToolTip(
            _BUSY if busy else "Add image files, or all images of a folder."
        )
        self._find.setEnabled(not busy and n > 0)
        if n == 0:
            self._find.setToolTip("Nothing to find: all files are where they were.")
        else:
            self._find.setToolTip(
                f"{_count(n, 'image file is', 'image files are')} not where the "
                "project expects them: choose the folder that holds them now."
            )

    def _run(
        self,
        verb: str,
        args: list[str],
        meanwhile: str,
        say: Callable[[dict[str, Any]], Said],
    ) -> None:
        project = self._state.project
        if project is None:
            return
        if self._running is not None:
            self._said.say(_BUSY, "note")
            return
        self._said.say(meanwhile, "plain")
        self._running = self._commands.run(
            ["project", verb, str(project.path), *args],
            lambda result: self._ended(project, result, say),
        )
        self._enable()

    def _ended(
        self,
        project: Project,
        result: CommandResult,
        say: Callable[[dict[str, Any]], Said],
    ) -> None:
        self._running = None
        self._enable()
        now = self._state.project
        if now is None or now.path != project.path:
            return
        report = report_of(result)
        if report is None:
            self._said.say(result.sentence, "problem" if result.code else "ok")
        else:
            self._said.say(*say(report))
        self.read_images()

    def _take_images(self, fresh: Project) -> None:
        """Give the open project the images that are on disk now."""
        now = self._state.project
        if now is None or now.path != fresh.path:
            return
        # The same project as before to everybody, so nobody is told of another one.
        with self._state.events.project.blocked():
            self._state.project = Project(now.path, now.info, fresh.images)
        self._state.images_changed.emit()
        self.files_changed.emit()
        if self._state.image_id is None and fresh.images:
            self._state.image_id = fresh.images[0].id

    def _forget(self) -> None:
        self._said.say("")
        self.say_missing(0)

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of images")
        if folder:
            self.add_images([Path(folder)], copy=self._copy.isChecked())

    def _ask_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "Image files")
        self.add_images([Path(file) for file in files], copy=self._copy.isChecked())

    def _ask_moved(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder with the moved images")
        if folder:
            self.find_moved(Path(folder))


def report_of(result: CommandResult) -> dict[str, Any] | None:
    """Return the JSON that a command printed, or None where it failed before that."""
    try:
        report = json.loads(result.stdout)
    except json.JSONDecodeError:
        return None
    return report if isinstance(report, dict) else None


def added_in_words(report: dict[str, Any]) -> Said:
    """Return what `mtseg project add --json` did, and whether all of it went well."""
    failed = list(report["failed"].values())
    said = f"{_count(len(report['added']), 'image', 'images')} added."
    if not failed:
        return said, "ok"
    said += f" {_count(len(failed), 'file', 'files')} could not be: "
    said += " ".join(failed[:MAX_SAID])
    if len(failed) > MAX_SAID:
        said += f" … and {len(failed) - MAX_SAID} more."
    return said, "note" if report["added"] else "problem"


def _found_in_words(report: dict[str, Any]) -> Said:
    found, n_missing = len(report["relinked"]), len(report["missing"])
    said = f"{_count(found, 'image', 'images')} found again"
    if n_missing == 0:
        return f"{said}; none is missing.", "ok"
    return f"{said}, {n_missing} still missing. Try another folder.", "note"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _button(text: str, name: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    return button
