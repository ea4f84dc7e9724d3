"""Small pictures of a project's images, made in a thread when they are first seen."""

from threading import Lock, Thread

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QImage, QPixmap

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.project import Project

SIDE = 64
"""longest side of a thumbnail, pixels"""

_MAX_WAITING = 60
"""images scrolled by long ago are not worth a picture until they are seen again"""
_MAX_KEPT = 2000
"""pictures in memory, 16 KB each; older ones are made again when they are seen"""
_MAX_PIXELS = 2**26
"""of a plane that must be decoded whole; of larger ones the middle is shown"""
_WINDOW = 4096
_TINTS = np.array([[0, 1, 0], [1, 0, 1], [0, 0.6, 1]], np.float32)
"""colours of the first three channels where they are not red, green and blue"""


class Thumbnails(QObject):
    """Pictures of one project at a time; the image asked for last is made first."""

    made = Signal(str)
    """id of an image whose picture, or failure, is there now"""

    _read = Signal(object, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project: Project | None = None
        self._pixmaps: dict[str, QPixmap] = {}
        self._waiting: dict[str, ImageEntry] = {}
        self._lock = Lock()
        self._works = False
        self._read.connect(self._keep)

    def show_project(self, project: Project | None) -> None:
        """Forget all pictures and take further ones from ``project``."""
        with self._lock:
            self._project = project
            self._waiting.clear()
        self._pixmaps.clear()

    @property
    def is_working(self) -> bool:
        """True while pictures are being made."""
        return self._works

    def pixmap(self, entry: ImageEntry) -> QPixmap | None:
        """Return the picture; None where it is not made yet, null where it cannot be.

        What is not there is made, and told by :attr:`made`.
        """
        found = self._pixmaps.get(entry.id)
        if found is None:
            self._ask(entry)
        return found

    def forget_failures(self) -> None:
        """Try again what could not be made: its file may be there now."""
        self._pixmaps = {k: v for k, v in self._pixmaps.items() if not v.isNull()}

    def _ask(self, entry: ImageEntry) -> None:
        with self._lock:
            if self._project is None:
                return
            self._waiting.pop(entry.id, None)
            self._waiting[entry.id] = entry
            if len(self._waiting) > _MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
            if self._works:
                return
            self._works = True
        Thread(target=self._work, name="thumbnails", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._project is None:
                    self._works = False
                    return
                image_id, entry = self._waiting.popitem()
                project = self._project
            try:
                picture = thumbnail_of(project, entry)
            except (MtsegError, OSError):
                picture = None
            try:
                self._read.emit(project, image_id, picture)
            except RuntimeError:
                # The window closed meanwhile: nobody looks any more.
                return

    def _keep(
        self, project: Project, image_id: str, picture: NDArray[np.uint8] | None
    ) -> None:
        if project is not self._project:
            return
        while len(self._pixmaps) >= _MAX_KEPT:
            del self._pixmaps[next(iter(self._pixmaps))]
        self._pixmaps[image_id] = QPixmap() if picture is None else _pixmap(picture)
        self.made.emit(image_id)


def thumbnail_of(project: Project, entry: ImageEntry) -> NDArray[np.uint8]:
    """Return a small picture of an image, of the middle plane in 3D.

    Returns
    -------
    (height, width, 3) uint8
        Red, green and blue; the longest side has about SIDE pixels, at most.

    Raises
    ------
    ImageError
        If the file is gone or damaged.
    """
    image = project.open_image(entry)
    plane = _few_pixels(image)
    is_photo = image.info.rgb and image.info.dtype == "uint8"
    levels = plane / np.float32(255) if is_photo else _stretched(plane)
    coloured = _coloured(levels, rgb=image.info.rgb)
    if project.info.colour == "grey":
        coloured = np.repeat(coloured.mean(axis=0, keepdims=True), 3, axis=0)
    return np.ascontiguousarray((coloured * 255).astype(np.uint8).transpose(1, 2, 0))


def _few_pixels(image: Image) -> NDArray[np.float32]:
    """Return (C, height, width) of every n-th pixel of the middle plane."""
    *planes, height, width = image.info.spatial_shape
    rows, columns = slice(0, height), slice(0, width)
    if getattr(image.pixels, "chunks", None) and height * width > _MAX_PIXELS:
        rows, columns = _middle(height), _middle(width)
    step = -(-max(rows.stop - rows.start, columns.stop - columns.start) // SIDE)
    region: tuple[slice | int, ...] = (
        slice(0, len(_TINTS)),
        *(n // 2 for n in planes),
        slice(rows.start, rows.stop, step),
        slice(columns.start, columns.stop, step),
    )
    return np.asarray(image.pixels[region]).astype(np.float32)


def _middle(length: int) -> slice:
    size = min(length, _WINDOW)
    return slice((length - size) // 2, (length + size) // 2)


def _stretched(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the 1st to 99th percentile of each channel to 0..1."""
    low, high = np.percentile(plane, (1, 99), axis=(1, 2), keepdims=True)
    spread = np.where(high > low, high - low, 1)
    return np.clip((plane - low) / spread, 0, 1).astype(np.float32)


def _coloured(plane: NDArray[np.float32], *, rgb: bool) -> NDArray[np.float32]:
    if rgb:
        return plane
    if len(plane) == 1:
        return np.repeat(plane, 3, axis=0)
    tinted = np.tensordot(_TINTS[: len(plane)].T, plane, axes=1)
    return np.clip(tinted, 0, 1).astype(np.float32)


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    height, width, _ = picture.shape
    image = QImage(
        picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888
    )
    return QPixmap.fromImage(image)
