"""Makes the pictures of ``docs/window.md`` from the real window, at 1280 x 800.

    QT_API=pyqt6 python docs/make_window_pictures.py [NAME ...]

The window is driven as a person drives it: by mouse on its canvas and by clicks on its
buttons, on the embedded sample, with a small network that trains in half a minute.
Without names all pictures are made. Under PyQt5 napari shows a notice about Qt that
would be on them.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from skimage import measure, morphology

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.window_driver import Hand, start_screen, wait_until  # noqa: E402

FOLDER = ROOT / "docs" / "images"
SIZE = (1280, 800)
COLOURS = 256
"""colours of a picture"""
PAINTED = "tile_10.tif"
"""tile that is painted by hand, with glands and the tissue between them"""
SHOWN = "tile_21.tif"
"""tile that is shown while the painted sample trains"""
SMALL = {
    "base_channels": 8,
    "levels": 3,
    "patch": 96,
    "batch_size": 4,
    "iterations": 6,
    "first_steps": 100,
    "steps_per_iteration": 25,
    "last_steps": 60,
    "preview_every": 25,
    "validate_every": 25,
}
"""a network that learns the sample in half a minute on two cores"""


class Pictures:
    """A window on a virtual screen, and what a person does in it."""

    def __init__(self, home: Path) -> None:
        import napari
        from napari_mtseg.gui.menu_entries import open_dock

        self.home = home
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*SIZE)
        self.dock = open_dock(self.viewer)
        self.main = self.dock.window()
        self.main.move(0, 0)
        self.settle(1.0)

    def settle(self, seconds: float = 0.4) -> None:
        """Let the window draw."""
        from qtpy.QtCore import QTimer

        passed: list[bool] = []
        QTimer.singleShot(int(1000 * seconds), lambda: passed.append(True))
        wait_until(lambda: bool(passed), seconds=seconds + 30)

    def wait(self, claim: Callable[[], bool], seconds: float = 120) -> None:
        """Let the window work until something holds, then draw."""
        wait_until(claim, seconds=seconds)
        self.settle()

    def take(self, name: str) -> None:
        """Save what the screen shows of the window as ``NAME.png``."""
        from qtpy.QtGui import QGuiApplication

        self.settle()
        screen = QGuiApplication.primaryScreen()
        pixels = screen.grabWindow(0, 0, 0, *SIZE)
        raw = self.home / "screen.png"
        pixels.save(str(raw))
        with Picture.open(raw) as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Picture.Dither.NONE)
            few.save(FOLDER / f"{name}.png", optimize=True)
        print(f"{name}.png")

    def control(self, name: str) -> Any:
        """Return a control of the dock by its name."""
        from qtpy.QtWidgets import QWidget

        found = self.dock.findChild(QWidget, name)
        if found is None:
            raise LookupError(name)
        return found

    def click(self, name: str) -> None:
        """Click a button of the dock, once it can be clicked."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        button = self.control(name)
        wait_until(button.isEnabled, seconds=60)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.settle(0.2)

    def scroll_to(self, name: str | None) -> None:
        """Scroll the page to a control; to its top for None."""
        from qtpy.QtWidgets import QScrollArea

        for area in self.dock.findChildren(QScrollArea):
            if area.isVisible() and area.widget() in self.dock.pages.values():
                if name is None:
                    area.verticalScrollBar().setValue(0)
                else:
                    area.ensureWidgetVisible(self.control(name), 0, 8)
        self.settle(0.2)

    def show_image(self, name: str) -> None:
        """Go to an image."""
        project = self.dock.state.project
        self.dock.state.image_id = project.image(name).id
        wait_until(lambda: self.dock.editing.is_shown, seconds=60)
        self.settle(0.6)

    def paint(self, objects: NDArray[np.bool_], *, size: int) -> None:
        """Brush over each connected piece of a mask with strokes of the mouse."""
        hand = Hand(self.viewer, self.dock)
        self.viewer.layers.selection.active.brush_size = size
        for piece in measure.regionprops(measure.label(objects)):
            hand.stroke(_zigzag(piece, step=max(size - 1, 1)))

    def open_sample(self, folder: Path, *, painted: bool) -> None:
        """Make the sample by the form of the start panel, and open it."""
        self.click("try_sample")
        self.control("sample_folder").setText(str(folder))
        self.control("sample_painted").setChecked(painted)
        self.click("make_sample")
        self.wait(lambda: self.dock.state.project is not None)
        self.wait(lambda: self.dock.editing.is_shown)

    def wait_until_ready(self) -> None:
        """Wait until the waiting child has looked at the paint."""
        summary = self.control("method_reason")
        wait_until(
            lambda: summary.text() and "Looking" not in summary.text(), seconds=90
        )
        self.settle(0.8)


def _zigzag(piece: Any, *, step: int) -> list[tuple[float, float]]:
    """Return points that brush over a region row by row, without leaving it much."""
    top, left, _, _ = piece.bbox
    points: list[tuple[float, float]] = []
    rows = range(step // 2, piece.image.shape[0], step)
    for turn, row in enumerate(rows):
        columns = np.flatnonzero(piece.image[row])
        if columns.size:
            line = [(float(top + row), float(left + x)) for x in columns[::2]]
            points += line[:: -1 if turn % 2 else 1]
    return points


def nothing_open(window: Pictures) -> None:
    """Take the start panel and its forms."""
    window.take("nothing_open")
    window.click("new_from_folder")
    window.take("new_project")
    window.click("leave_new_project")


def paint_by_hand(window: Pictures) -> None:
    """Take the states before there is enough to train, and a painted image."""
    from napari_mtseg.storage.class_edits import add_class
    from skimage.io import imread

    dock = window.dock
    window.open_sample(window.home / "glands", painted=False)
    add_class(dock.state.project, "stroma")
    dock.state.classes_changed.emit()
    dock.editing.apply_classes()
    window.click("page_annotate")
    window.show_image(PAINTED)
    window.take("annotate_nothing_painted")
    window.click("page_train")
    window.wait_until_ready()
    window.take("train_not_enough")

    place = np.s_[128:256, 0:128]
    glands = imread(ROOT / "napari_mtseg" / "samples" / "epithelium.png")[place] > 0
    window.click("page_annotate")
    window.click("draw_as_partial")
    window.click("paint_code_3")
    window.paint(_inner(glands, 9), size=5)
    window.click("paint_code_4")
    window.paint(_inner(~morphology.dilation(glands, morphology.disk(3)), 9), size=5)
    window.click("page_annotate")
    window.take("annotate_partial_masks")


def _inner(mask: NDArray[np.bool_], depth: int) -> NDArray[np.bool_]:
    """Return the inner part of a mask, ``depth`` pixels from its edge."""
    inner = morphology.erosion(np.pad(mask, 1), morphology.disk(depth))[1:-1, 1:-1]
    return morphology.remove_small_objects(inner, max_size=12)


SCENES: tuple[Callable[[Pictures], None], ...] = (nothing_open, paint_by_hand)


def main() -> None:
    """Make the pictures."""
    FOLDER.mkdir(exist_ok=True)
    screen = start_screen()
    with tempfile.TemporaryDirectory() as home:
        os.environ["MTSEG_CONFIG"] = str(Path(home) / "config")
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "napari.yaml")
        window = Pictures(Path(home))
        try:
            for scene in SCENES:
                scene(window)
        finally:
            window.dock.trainer.stop()
            wait_until(lambda: not window.dock.trainer.is_training, seconds=60)
            window.dock.leave()
            window.viewer.close()
    if screen is not None:
        screen.stop()


if __name__ == "__main__":
    main()
