"""What the pages of the window share: open project, current image, run and brush."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import ClassVar, Literal

from psygnal import Signal, SignalGroupDescriptor

from napari_mtseg.domain.annotation import SCRIBBLE_FIRST_CLASS
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.window_settings import load_window_settings
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.verdict_masks import settle

DrawAs = Literal["partial", "scribble", "full"]
Page = Literal["project", "annotate", "train", "review", "export"]

SAVED = "saved"
SAVING = "saving"


@dataclass(eq=False, kw_only=True)
class WindowState:
    """The evented state of one window; ``events.NAME`` tells of each change.

    Pages read and set it and never call each other. The window is the one writer of
    the open project's annotations: their lock is held while the project is open.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    project: Project | None = None
    """open project; None while nothing is open"""
    image_id: str | None = None
    """image on the canvas"""
    run_id: str | None = None
    """run that trains, or whose results are looked at"""
    start_from: str | None = None
    """run that the Train page shall choose as the start of the next one; it sets None
    when it has"""
    page: Page = "project"
    """page that is shown"""
    saving: str = SAVED
    """SAVED, SAVING, or the sentence that says why saving failed"""
    draw_as: DrawAs = "partial"
    """layer that strokes go to"""
    paint_code: int = SCRIBBLE_FIRST_CLASS
    """what strokes mean, as a scribble code: background, separator or a class"""

    images_changed: ClassVar[Signal] = Signal(
        description="images were added, or a split or group changed"
    )
    classes_changed: ClassVar[Signal] = Signal(
        description="a class or scene was added, renamed, recoloured or removed"
    )
    annotation_saved: ClassVar[Signal] = Signal(
        str, description="the annotation of this image is on disk"
    )
    reviewed: ClassVar[Signal] = Signal(
        str, description="a verdict on this image was given or taken back, on disk"
    )
    runs_changed: ClassVar[Signal] = Signal(description="a run began, ended or is gone")
    predictions_changed: ClassVar[Signal] = Signal(
        description="predictions were made or replaced"
    )
    closing: ClassVar[Signal] = Signal(
        description="the project is about to close: save what is not saved"
    )

    def __post_init__(self) -> None:
        self._lock: FolderLock | None = None
        self.writing = Lock()
        """held by a thread that reads an annotation to write it changed; the image
        on the canvas, which its editing alone writes, needs none"""

    @property
    def entry(self) -> ImageEntry | None:
        """The current image's entry, if there is one."""
        if self.project is None or self.image_id is None:
            return None
        return self.project.image(self.image_id)

    def open_project(self, path: Path) -> None:
        """Open a project in place of the one that is open.

        It opens at the image that was looked at last, else at its first training image:
        held-out images are not to be painted. A verdict that a kill cut off is ended.

        Raises
        ------
        MtsegError
            If it is no project, or another process edits its annotations.
        """
        project = Project.open(path)
        if self.project is not None and self.project.path == project.path:
            return
        lock = project.annotation_lock().acquire()
        try:
            settle(project, ReviewLog(project.path))
        except BaseException:
            lock.release()
            raise
        self.close_project()
        self._lock = lock
        self.project = project
        self.image_id = _opening_image(project)

    def close_project(self) -> None:
        """Close the open project, if any, after everything of it is saved."""
        if self.project is None:
            return
        self.closing.emit()
        self.image_id = None
        self.run_id = None
        self.start_from = None
        self.project = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def step_image(self, step: int) -> None:
        """Go ``step`` images on (or back, below 0), stopping at the ends."""
        if self.project is None or not self.project.images:
            return
        ids = [entry.id for entry in self.project.images]
        here = ids.index(self.image_id) if self.image_id in ids else 0
        self.image_id = ids[min(max(here + step, 0), len(ids) - 1)]


def _opening_image(project: Project) -> str | None:
    last = load_window_settings().last_image.get(str(project.path))
    if any(entry.id == last for entry in project.images):
        return last
    training = (entry.id for entry in project.images if entry.split == "train")
    return next(training, project.images[0].id if project.images else None)
