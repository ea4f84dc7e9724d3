"""Tags of the images that are selected in the table: a menu, and a thread that writes.

The image on the canvas is told through its editing, which saves it; the annotations of
the others are written here. Both never write the same image: see :class:`TagWriter`.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QMenu

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.errors import MtsegError, StorageError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.image_facts import TagChoices
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.image_tags import BlankLayers, TagChange, set_tags
from napari_mtseg.storage.project import Project

BATCH = 64
"""images written in one go; an image that is opened waits that long at most"""
TELLS_EVERY = 0.3
"""seconds between two reports of the progress"""

_BUSY = "Wait until the class is deleted, then tag the images again."
_OCCURS: tuple[tuple[str, bool | None], ...] = (
    ("occurs", True),
    ("does not occur", False),
    ("not known", None),
)


def add_tag_menus(
    menu: QMenu,
    choices: TagChoices,
    tags: Sequence[Tags],
    *,
    ask: Callable[[TagChange], None],
    ask_new_scene: Callable[[], None],
) -> None:
    """Add the menus 'Scene' and 'Classes present' for some images.

    Parameters
    ----------
    menu : QMenu
        Gets them behind its other entries.
    choices : TagChoices
        What can be said.
    tags : sequence of Tags
        Tags of the images; what holds for all of them is ticked.
    ask : callable
        Called with what the user chose.
    ask_new_scene : callable
        Called if the user wants a scene that the project lacks.
    """
    n = len(tags)
    many = f" of {n} images" if n > 1 else ""
    scenes = menu.addMenu(f"Scene{many}")
    for place, name in enumerate(choices.scenes):
        change = TagChange(scene=place)
        _add(scenes, name, all(t.scene == place for t in tags), change, ask)
    if choices.scenes:
        scenes.addSeparator()
    is_free = all(t.scene is None for t in tags)
    _add(scenes, "Not given", is_free, TagChange(scene=None), ask)
    scenes.addAction("New scene…").triggered.connect(lambda: ask_new_scene())
    present = menu.addMenu(f"Classes present{f' in {n} images' * (n > 1)}")
    for number, name in enumerate(choices.classes, start=1):
        one = present.addMenu(_shown(name))
        for text, occurs in _OCCURS:
            is_so = all(t.present.get(number) is occurs for t in tags)
            _add(one, text, is_so, TagChange(present={number: occurs}), ask)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Tagging:
    """One image that is to be tagged."""

    project: Project
    entry: ImageEntry
    change: TagChange


@dataclass(eq=False, kw_only=True)
class _Report:
    """What came of the images that a thread tagged."""

    changed: list[str]
    """ids of the images whose tags changed"""
    problems: list[str]
    """sentences, one per image that could not be tagged"""
    bug: Exception | None = None
    """error of the program, which is raised again in the window's thread"""


class TagWriter(QObject):
    """Tags many images in a thread while the window goes on.

    An image on the canvas is written by its editing alone. So an image that comes
    onto the canvas is taken out of what is to be written; what was or is to be said
    of it is said to the editing once the image is shown. With no image on the canvas
    nothing is written: the project closes then, or all annotations are reworked.

    Parameters
    ----------
    state : WindowState
        Says which image is on the canvas.
    editing : Editing
        Holds its tags.
    parent : QObject, optional
        Qt parent.
    """

    advanced = Signal(int, int)
    """images tagged, and to tag; only where it takes a while"""
    tagged = Signal(object)
    """list of ids whose tags changed on disk"""
    refused = Signal(str)
    """sentence that says why images could not be tagged"""

    _ended = Signal(object)

    def __init__(
        self, state: WindowState, editing: Editing, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._editing = state, editing
        self._image_id = state.image_id
        self._waiting: deque[_Tagging] = deque()
        self._written: dict[str, list[TagChange]] = {}
        self._due: list[TagChange] = []
        self._turn, self._may_go = Lock(), Event()
        self._may_go.set()
        self._thread: Thread | None = None
        self._is_working = False
        self._ended.connect(self._take)
        state.events.image_id.connect(self._change_image)
        editing.changed.connect(self._tell_editing)

    def set_tags(self, ids: Sequence[str], change: TagChange) -> None:
        """Say the same about several images of the open project."""
        project, current = self._state.project, self._state.image_id
        if project is None:
            return
        if current is None:
            self.refused.emit(_BUSY)
            return
        if not self._editing.flush():
            self.refused.emit(self._state.saving)
            return
        if current in ids:
            self._due.append(change)
            self._tell_editing()
        others = [project.image(key) for key in ids if key != current]
        with self._held():
            self._waiting.extend(
                _Tagging(project=project, entry=entry, change=change)
                for entry in others
            )
        self._go_on()

    def wait(self) -> None:
        """Return when everything is written."""
        self._go_on()
        if self._thread is not None:
            self._thread.join()

    def _change_image(self, image_id: str | None) -> None:
        former, self._image_id = self._image_id, image_id
        project = self._state.project
        with self._held():
            if self._due and project is not None and former is not None:
                # The former image never was shown.
                entry = project.image(former)
                self._waiting.extend(
                    _Tagging(project=project, entry=entry, change=change)
                    for change in self._due
                )
            mine = [t.change for t in self._waiting if t.entry.id == image_id]
            self._waiting = deque(t for t in self._waiting if t.entry.id != image_id)
            # The image may have been read before the last of these was written.
            self._due = self._written.pop(image_id or "", []) + mine
            self._written.clear()
        if image_id is None:
            self.wait()
        else:
            self._go_on()
            self._tell_editing()

    def _tell_editing(self) -> None:
        if not self._due or not self._editing.is_shown:
            return
        if self._image_id != self._state.image_id:
            return
        due, self._due = self._due, []
        tags = self._editing.tags
        for change in due:
            tags = change.applied_to(tags)
        self._editing.set_tags(tags)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep the thread from its next image; without the event it might never."""
        self._may_go.clear()
        try:
            with self._turn:
                yield
        finally:
            self._may_go.set()

    def _go_on(self) -> None:
        if self._waiting and not self._is_working:
            self._is_working = True
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        report, blank = _Report(changed=[], problems=[]), BlankLayers()
        n_done, told = 0, time.monotonic()
        while True:
            self._may_go.wait()
            with self._turn:
                if not self._waiting:
                    self._is_working = False
                    break
                batch = self._next_batch()
                self._write(batch, report, blank)
                n_done, n_left = n_done + len(batch), len(self._waiting)
            if time.monotonic() - told > TELLS_EVERY:
                told = time.monotonic()
                self._emit(self.advanced, n_done, n_done + n_left)
        self._emit(self._ended, report)

    def _next_batch(self) -> list[_Tagging]:
        """Take the next images of which the same is to be said."""
        batch = [self._waiting.popleft()]
        while self._waiting and len(batch) < BATCH:
            if self._waiting[0].change is not batch[0].change:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _write(
        self, batch: Sequence[_Tagging], report: _Report, blank: BlankLayers
    ) -> None:
        project, change = batch[0].project, batch[0].change
        entries = [each.entry for each in batch]
        try:
            with self._state.writing:
                changed = set_tags(project, entries, change, blank=blank)
        except Exception as error:  # noqa: BLE001 - bugs are raised again by _take
            self._note(error, batch, report, blank)
        else:
            report.changed.extend(entry.id for entry in changed)
            for entry in entries:
                self._written.setdefault(entry.id, []).append(change)

    def _note(
        self,
        error: Exception,
        batch: Sequence[_Tagging],
        report: _Report,
        blank: BlankLayers,
    ) -> None:
        """Note what went wrong; what concerns one image keeps no other one out."""
        is_of_one = isinstance(error, MtsegError) and not isinstance(
            error, StorageError
        )
        if not is_of_one:
            self._waiting.clear()
        if not isinstance(error, MtsegError):
            report.bug = error
        elif is_of_one and len(batch) > 1:
            for each in batch:
                self._write([each], report, blank)
        else:
            report.problems.append(str(error))

    @staticmethod
    def _emit(signal: Signal, *values: object) -> None:
        try:
            signal.emit(*values)
        except RuntimeError:
            # The window closed meanwhile: nobody asks any more.
            return

    def _take(self, report: _Report) -> None:
        self.tagged.emit(report.changed)
        if report.problems:
            more = len(report.problems) - 1
            others = f" {more} other images could not be tagged either." * (more > 0)
            self.refused.emit(report.problems[0] + others)
        if report.bug is not None:
            raise report.bug


def _add(
    menu: QMenu,
    text: str,
    is_so: bool,
    change: TagChange,
    ask: Callable[[TagChange], None],
) -> None:
    action = menu.addAction(_shown(text))
    action.setCheckable(True)
    action.setChecked(is_so)
    action.triggered.connect(lambda: ask(change))


def _shown(name: str) -> str:
    return name.replace("&", "&&")
