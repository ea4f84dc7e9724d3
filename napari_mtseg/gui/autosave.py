"""Saving of paint: soon after each stroke, in a thread, one save at a time.

What changed is found by comparing with a copy of what was saved last, so any event
that may have changed a layer is enough to start a comparison.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mtseg.domain.annotation import CompleteRegion, Tags
from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.painted_image import PaintCopy, PaintedImage
from napari_mtseg.gui.state import SAVED, SAVING, DrawAs, WindowState
from napari_mtseg.storage.project import Project

QUIET = 0.4
"""Seconds without an event after which paint is saved."""
LONGEST = 0.6
"""Seconds after which paint is saved while events go on."""
RETRY = 5.0
"""Seconds after which a save that failed is tried again."""
SMALL = 2**24
"""Images up to this many pixels are compared as a whole."""

_BUG = (
    "The paint could not be saved because of an error in the program. It is kept in "
    "the window and saving is tried again; please report the error."
)


@dataclass(eq=False, kw_only=True)
class _Paper:
    """One image whose paint is kept on disk."""

    project: Project
    painted: PaintedImage
    copy: PaintCopy
    has_failed: bool = False
    """True while its last save failed"""
    has_new_facts: bool = False
    """True if tags or regions changed since the last save"""

    @property
    def is_dirty(self) -> bool:
        return self.has_failed or self.has_new_facts or bool(self.painted.touched)

    def take_work(self) -> "_Work":
        """Return what is to be saved now; later changes are for the next save."""
        work = _Work(
            paper=self,
            touched=self.painted.touched,
            tags=self.painted.tags,
            complete=self.painted.complete,
            is_due=self.has_failed or self.has_new_facts,
        )
        self.painted.touched = {}
        self.has_new_facts = False
        return work


@dataclass(frozen=True, eq=False, kw_only=True)
class _Work:
    """One comparison, and a save where something changed; done in a thread."""

    paper: _Paper
    touched: dict[DrawAs, set[int]]
    tags: Tags
    complete: CompleteRegion
    is_due: bool

    def done(self) -> bool:
        """Compare, save what changed, and return whether anything had."""
        paper = self.paper
        found = [
            paper.copy.update(kind, planes) for kind, planes in self.touched.items()
        ]
        if not (self.is_due or any(found)):
            return False
        # The region as it was before the pixels were read: it never says complete
        # before the objects inside are saved.
        annotation = replace(
            paper.copy.annotation(), tags=self.tags, complete=self.complete
        )
        painted = paper.painted
        paper.project.save_annotation(painted.entry, annotation, box=painted.area)
        return True


class Autosave(QObject):
    """Keeps the paint of the current image on disk.

    An image whose save failed is kept and tried again, also when another one is
    shown meanwhile.
    """

    compared = Signal(object)
    """PaintedImage whose paint was compared; its counts may be new"""

    _ended = Signal(object)

    def __init__(self, state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._papers: dict[str, _Paper] = {}
        self._current: _Paper | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._running: tuple[Future[bool], _Work] | None = None
        self._since: float | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._save_next)
        self._ended.connect(self._take)

    def watch(self, project: Project, painted: PaintedImage, copy: PaintCopy) -> None:
        """Keep this image's paint on disk from now on, in place of the former one."""
        self.forget()
        kept = self._papers.get(painted.entry.id)
        if kept is None or kept.painted is not painted:
            kept = _Paper(project=project, painted=painted, copy=copy)
        self._papers[painted.entry.id] = self._current = kept

    def unsaved(self, image_id: str) -> tuple[PaintedImage, PaintCopy] | None:
        """Return the paint of an image whose save failed, if it is one."""
        paper = self._papers.get(image_id)
        return None if paper is None else (paper.painted, paper.copy)

    def touch(self, kind: DrawAs, planes: Iterable[int], *, quiet: bool) -> None:
        """Say that planes of a layer may have changed.

        Parameters
        ----------
        kind : {'partial', 'scribble', 'full'}
            The layer.
        planes : iterable of int
            Planes of a 3D image; 0 in 2D.
        quiet : bool
            True if it is not sure that something changed.
        """
        if self._current is None:
            return
        self._current.painted.touched.setdefault(kind, set()).update(planes)
        self._schedule(quiet=quiet)

    def touch_facts(self) -> None:
        """Say that tags or regions changed."""
        if self._current is not None:
            self._current.has_new_facts = True
            self._schedule(quiet=False)

    def flush(self) -> bool:
        """Save everything now; return whether all of it is on disk.

        Where it is not, ``state.saving`` says why, and saving is tried again.
        """
        self._timer.stop()
        self._await_running()
        if self._current is not None:
            self._touch_all_of_small(self._current.painted)
        for paper in tuple(self._papers.values()):
            if paper.is_dirty:
                self._start(paper)
                self._await_running()
        return not any(paper.is_dirty for paper in self._papers.values())

    def forget(self) -> None:
        """Stop watching the current image; what of it is not saved is still saved."""
        paper, self._current = self._current, None
        if paper is not None and not paper.is_dirty:
            self._papers.pop(paper.painted.entry.id, None)

    def drop(self) -> None:
        """Stop watching, and give up what is not saved; ends the thread."""
        self._timer.stop()
        if self._running is not None:
            wait([self._running[0]])
        self._running, self._current = None, None
        self._papers.clear()
        self._since = None
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None
        self._state.saving = SAVED

    def _schedule(self, *, quiet: bool) -> None:
        has_failed = any(paper.has_failed for paper in self._papers.values())
        if not quiet and not has_failed:
            self._state.saving = SAVING
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if self._running is None:
            left = max(0.0, self._since + LONGEST - now)
            self._timer.start(int(1000 * min(QUIET, left)))

    def _save_next(self) -> None:
        dirty = [paper for paper in self._papers.values() if paper.is_dirty]
        if dirty and self._running is None:
            self._start(dirty[0])

    def _start(self, paper: _Paper) -> None:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="mtseg-save")
        work = paper.take_work()
        self._since = None
        future = self._executor.submit(work.done)
        self._running = future, work
        future.add_done_callback(self._tell)

    def _tell(self, future: "Future[bool]") -> None:
        try:
            self._ended.emit(future)
        except RuntimeError:
            # The window closed meanwhile.
            return

    def _await_running(self) -> None:
        if self._running is not None:
            future = self._running[0]
            wait([future])
            self._take(future)

    def _take(self, future: "Future[bool]") -> None:
        """Take what a save returned; each only once."""
        if self._running is None or self._running[0] is not future:
            return
        paper, self._running = self._running[1].paper, None
        error = future.exception()
        if error is not None:
            self._note_failure(paper, error)
            return
        paper.has_failed = False
        if paper is not self._current and not paper.is_dirty:
            self._papers.pop(paper.painted.entry.id, None)
        if any(other.is_dirty for other in self._papers.values()):
            self._schedule(quiet=True)
        else:
            self._state.saving = SAVED
        self.compared.emit(paper.painted)
        if future.result():
            self._state.annotation_saved.emit(paper.painted.entry.id)

    def _note_failure(self, paper: _Paper, error: BaseException) -> None:
        paper.has_failed = True
        self._state.saving = str(error) if isinstance(error, MtsegError) else _BUG
        self._timer.start(int(1000 * RETRY))
        if not isinstance(error, MtsegError):
            raise error

    @staticmethod
    def _touch_all_of_small(painted: PaintedImage) -> None:
        for kind, array in painted.arrays.items():
            if array.size <= SMALL:
                painted.touched[kind] = set(range(painted.n_planes))
