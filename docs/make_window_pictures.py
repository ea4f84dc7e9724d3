"""Makes the pictures of ``docs/window.md`` from the real window, at 1280 x 800.

    QT_API=pyqt6 python docs/make_window_pictures.py [SCENE ...]

The window is driven as a person drives it: by mouse on its canvas and by clicks on its
buttons, on the embedded sample, with a small network that trains in half a minute.
Under PyQt5 napari shows a notice about Qt that
would be on them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from skimage import measure, morphology
from skimage.io import imread

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.window_driver import Hand, start_screen, wait_until  # noqa: E402
from napari_mtseg.domain.annotation import SCRIBBLE_BACKGROUND  # noqa: E402
from napari_mtseg.gui.method_choice import WAITING  # noqa: E402
from napari_mtseg.workflows.sample import write_sample  # noqa: E402

FOLDER = ROOT / "docs" / "images"
SIZE = (1280, 800)
COLOURS = 256
"""colours of a picture"""
PAINTED = "tile_12.tif"
"""tile that is painted by hand, with a gland, its lumen and the tissue beside it"""
FULL = "tile_22.tif"
"""tile that gets a full mask by hand"""
SHOWN = "tile_12.tif"
"""tile that is shown while the painted sample trains"""
UNPAINTED = "tile_13.tif"
"""tile that is held out, to look at what a training has learned"""
SMALL = {
    "base_channels": 6,
    "levels": 3,
    "patch": 48,
    "batch_size": 3,
    "learning_rate": 0.003,
    "average": 0.9,
    "iterations": 6,
    "first_steps": 60,
    "steps_per_iteration": 12,
    "last_steps": 40,
    "preview_every": 12,
    "validate_every": 12,
}
"""a network that learns the sample in half a minute on two cores"""
SMALL_WITH_DROPOUT = {
    **SMALL,
    "dropout": 0.3,
    "kept_checkpoints": 3,
}
"""the same network, which can doubt"""
SMALL_TASKS = {
    "base_channels": 8,
    "width": 32,
    "hidden": 32,
    "patch": 64,
    "batch_size": 6,
    "learning_rate": 0.003,
    "average": 0.9,
    "steps": 210,
    "preview_every": 20,
}
"""the same for a network of several tasks"""


class Pictures:
    """A window on a virtual screen, and what a person does in it."""

    def __init__(self, home: Path) -> None:
        import napari

        from napari_mtseg.gui.menu_entries import open_dock

        self.home = home
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*SIZE)
        self.dock: Any = open_dock(self.viewer)
        self.main = self.dock.window()
        self.main.move(0, 0)
        self.settle(1.0)

    def settle(self, seconds: float = 0.4) -> None:
        """Let the window draw."""
        from qtpy.QtCore import QTimer

        passed: list[bool] = []
        QTimer.singleShot(int(1000 * seconds), lambda: passed.append(True))
        wait_until(lambda: bool(passed), seconds=seconds + 30)

    def wait(self, claim: Callable[[], bool], seconds: float = 300) -> None:
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
            few = picture.convert("RGB").quantize(
                COLOURS, Picture.Quantize.MAXCOVERAGE, kmeans=1
            )
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

    def settings_form(self) -> Any:
        """Return the form of the chosen method's settings."""
        from napari_mtseg.gui.settings_form import SettingsForm

        forms = self.dock.findChildren(SettingsForm)
        return next(form for form in forms if not form.isHidden())

    def forget_news(self) -> None:
        """Close napari's notifications."""
        from qtpy.QtWidgets import QWidget

        for widget in self.main.findChildren(QWidget):
            if type(widget).__name__ == "NapariQtNotification":
                widget.close()
        self.settle(0.5)

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
        wait_until(lambda: summary.sentence != WAITING, seconds=90)
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


def before_a_training(window: Pictures) -> None:
    """Take the states before there is enough to train, and the painting."""
    from napari_mtseg.storage.class_edits import add_class

    dock = window.dock
    window.open_sample(window.home / "glands", painted=False)
    add_class(dock.state.project, "lumen")
    dock.state.classes_changed.emit()
    dock.editing.apply_classes()
    window.click("page_annotate")
    window.show_image(PAINTED)
    window.take("annotate_nothing_painted")
    window.click("page_train")
    window.wait_until_ready()
    window.take("train_not_enough")
    window.click("page_annotate")
    _paint_roughly(window)
    window.settle(2.5)
    window.take("annotate_partial_masks")
    window.show_image(FULL)
    window.click("draw_as_full")
    window.click("paint_code_3")
    window.paint(_glands(FULL), size=4)
    window.click("complete_whole")
    window.settle(2.5)
    window.take("annotate_full_mask")
    window.click("page_project")
    window.click("close_project")


def _paint_roughly(window: Pictures) -> None:
    gland = _glands(PAINTED)
    lumen = morphology.remove_small_holes(gland, max_size=2000) & ~gland
    for code, piece, depth in ((3, gland, 14), (4, lumen, 4)):
        window.click("draw_as_partial")
        window.click(f"paint_code_{code}")
        window.paint(_inner(piece, depth), size=7)
    window.click(f"paint_code_{SCRIBBLE_BACKGROUND}")
    hand = Hand(window.viewer, window.dock)
    window.viewer.layers.selection.active.brush_size = 4
    hand.stroke([(y, 18.0 + 6 * np.sin(y / 6)) for y in range(98, 124)])


def nothing_open(window: Pictures) -> None:
    """Take the start panel and the form of a new project."""
    window.settle(1.0)
    window.take("nothing_open")
    window.click("new_from_folder")
    write_sample(window.home / "glands")
    images = window.home / "glands" / "images"
    window.dock.start_panel.new_project.source.set_folder(images)
    window.control("project_name").setText("glands-2")
    window.control("project_classes").setText("epithelium, lumen")
    window.settle(2.0)
    window.take("new_project")
    window.click("leave_new_project")


def training(window: Pictures) -> None:
    """Take the painted sample, its training, and the question of closing."""
    dock = window.dock
    dock.state.draw_as = "partial"
    window.open_sample(window.home / "painted", painted=True)
    window.click("page_project")
    window.show_image(SHOWN)
    window.settle(2.0)
    window.take("project")
    window.click("page_train")
    window.wait_until_ready()
    window.settings_form().show_values(SMALL)
    window.take("train_ready")
    window.click("train")
    slider = window.control("growth_slider")
    window.wait(lambda: slider.maximum() >= 3)
    window.wait(lambda: "Grown masks" in dock.overlays.names)
    window.take("training")
    _close_and_stay(window)
    window.wait(lambda: not dock.trainer.is_training)
    window.settle(1.0)
    window.take("train_finished")


def _close_and_stay(window: Pictures) -> None:
    """Close the window, take the question, and keep the window open."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    def answer() -> None:
        question = QApplication.activeModalWidget()
        if question is None:
            return
        window.take("closing")
        stay = "Keep the window open"
        next(b for b in question.buttons() if b.text() == stay).click()

    QTimer.singleShot(1000, answer)
    window.main.close()


def results(window: Pictures) -> None:
    """Take predictions in both themes."""
    dock = window.dock
    window.forget_news()
    window.show_image(UNPAINTED)
    window.click("page_review")
    window.click("predict_all")
    window.wait(lambda: "Uncertainty" in dock.overlays.names)
    window.wait(window.control("predict_all").isEnabled)
    for name in ("segmentation", "instances", "contours", "uncertainty"):
        box = window.control(f"show_{name}")
        box.setChecked(name in {"contours", "uncertainty"})
    window.settle(1.0)
    window.take("review")
    window.viewer.theme = "light"
    window.settle(1.0)
    window.take("review_light")
    window.control("show_uncertainty").setChecked(False)
    window.click("page_annotate")
    window.show_image(SHOWN)
    window.settle(2.0)
    window.take("annotate_light")
    window.viewer.theme = "dark"


def export(window: Pictures) -> None:
    """Take a model with its checks, and a folder that is segmented."""
    dock = window.dock
    if dock.state.project is None:
        dock.state.draw_as = "partial"
        window.open_sample(window.home / "exported", painted=True)
        _train(window, SMALL)
    window.forget_news()
    window.click("page_export")
    formats = window.control("model_format")
    formats.setCurrentIndex(formats.findData("onnx"))
    window.click("export_model")
    window.wait(lambda: not window.control("export_progress").isVisible())
    window.scroll_to(None)
    window.take("export")
    scans = window.home / "scans"
    shutil.copytree(dock.state.project.path.parent / "sample" / "images", scans)
    (scans / "broken.tif").write_bytes(b"II*")
    window.control("segment_images").setText(str(scans))
    window.click("start_segmenting")
    bar = window.control("segment_progress")
    window.wait(lambda: bar.value() > 3)
    window.scroll_to("segment_outcome")
    window.take("export_segmenting")
    window.wait(window.control("open_report").isVisible)
    window.scroll_to("open_report")
    window.take("export_segmented")


def uncertainty(window: Pictures) -> None:
    """Take several passes with dropout, and the maps of doubt that they give."""
    dock = window.dock
    if dock.state.project is None:
        dock.state.draw_as = "partial"
        window.open_sample(window.home / "doubted", painted=True)
    window.forget_news()
    _train(window, SMALL_WITH_DROPOUT)
    window.scroll_to(None)
    source = window.control("uncertainty_source")
    source.setCurrentIndex(source.findData("dropout"))
    source.activated.emit(source.currentIndex())
    window.click("predict_image")
    window.wait(lambda: "Mutual information" in dock.overlays.names)
    window.wait(window.control("predict_image").isEnabled)
    for name in dock.overlays.names:
        dock.overlays.set_visible(name, name in {"Contours", "Uncertainty"})
    window.settle(1.5)
    window.take("uncertainty")


def review(window: Pictures) -> None:
    """Take verdicts on the most doubtful results, and what a further run changed."""
    dock = window.dock
    if dock.state.project is None:
        dock.state.draw_as = "partial"
        window.open_sample(window.home / "judged", painted=True)
    window.forget_news()
    _train_and_predict(window)
    page = dock.pages["review"]
    actions = page.actions_by_name()
    window.scroll_to("triage")
    for name in ("next_worst", "accept", "reject", "accept"):
        actions[name]()
        window.settle(1.5)
    window.wait(lambda: dock.editing.is_shown)
    for name in dock.overlays.names:
        dock.overlays.set_visible(name, name in {"Contours", "Uncertainty"})
    window.scroll_to("next_worst")
    window.take("triage")
    window.click("what_next_fold")
    window.click("train_again")
    _train_and_predict(window)
    window.click("what_changed_fold")
    window.wait(lambda: "Before" in dock.overlays.names)
    for name in dock.overlays.names:
        dock.overlays.set_visible(name, name in {"Contours", "Before"})
    window.scroll_to("what_next_fold")
    window.take("what_changed")


def _train(window: Pictures, values: dict[str, object]) -> None:
    """Train to the end, and show a held-out image on the Review page."""
    dock = window.dock
    window.click("page_train")
    window.scroll_to(None)
    window.wait_until_ready()
    window.settings_form().show_values(values)
    window.click("train")
    window.wait(lambda: dock.trainer.is_training)
    window.wait(lambda: not dock.trainer.is_training, seconds=900)
    window.forget_news()
    window.show_image(UNPAINTED)
    window.click("page_review")


def _train_and_predict(window: Pictures) -> None:
    dock = window.dock
    _train(window, SMALL)
    window.click("predict_all")
    window.wait(window.control("predict_all").isEnabled)
    window.wait(lambda: "Contours" in dock.overlays.names)


def whole_images(window: Pictures) -> None:
    """Take tags of many images, a training that learns them, and what it tells."""
    dock = window.dock
    if dock.state.project is None:
        dock.state.draw_as = "partial"
        window.open_sample(window.home / "tagged", painted=True)
    window.forget_news()
    _tag_by_hand(window)
    window.click("page_train")
    window.scroll_to(None)
    window.wait_until_ready()
    combo = window.control("method")
    combo.setCurrentIndex(combo.findData("task_decomposition"))
    # As by hand: otherwise the recommended method comes back.
    combo.activated.emit(combo.currentIndex())
    window.settings_form().show_values(SMALL_TASKS)
    window.click("train")
    bar = window.control("training_bar")
    window.wait(lambda: bar.value() > 145 or not dock.trainer.is_training)
    window.show_image(SHOWN)
    window.wait(lambda: "Contours" in dock.overlays.names)
    window.take("stages")
    window.wait(lambda: not dock.trainer.is_training, seconds=900)
    window.forget_news()
    window.show_image(UNPAINTED)
    window.click("page_review")
    window.click("predict_all")
    window.wait(lambda: "Uncertainty" in dock.overlays.names)
    window.wait(window.control("predict_all").isEnabled)
    for title in dock.overlays.names:
        dock.overlays.set_visible(title, title == "Contours")
    window.settle(1.5)
    window.take("whole_image")


def _tag_by_hand(window: Pictures) -> None:
    """Tag the upper and the lower tiles as two scenes; take the menu that does it."""
    from qtpy.QtCore import QPoint

    from napari_mtseg.gui.image_table_view import ImageTableView
    from napari_mtseg.storage.class_edits import add_scene
    from napari_mtseg.storage.image_tags import TagChange, set_tags

    dock = window.dock
    project = dock.state.project
    for name in ("surface", "depth"):
        add_scene(project, name)
    upper = [e for e in project.images if e.name < "tile_2"]
    set_tags(project, upper, TagChange(scene=0))
    dock.state.classes_changed.emit()
    for entry in upper:
        dock.state.annotation_saved.emit(entry.id)
    window.click("page_project")
    window.settle(1.0)
    view = dock.findChild(ImageTableView)
    window.show_image("tile_33.tif")
    for entry in project.images[len(upper) :]:
        row = view.model().row_of(entry.id)
        flags = view.selectionModel().SelectionFlag
        view.selectionModel().select(
            view.model().index(row, 0), flags.Select | flags.Rows
        )
    view.scrollTo(view.model().index(len(upper) - 3, 0), view.ScrollHint.PositionAtTop)
    place = view.visualRect(view.model().index(len(project.images) - 5, 1))
    menu = view.menu_of(view.model().index(len(project.images) - 5, 0))
    # Over the canvas, so that it fits on the picture.
    menu.popup(view.viewport().mapToGlobal(place.topLeft()) - QPoint(380, 0))
    scenes = next(a for a in menu.actions() if a.text().startswith("Scene"))
    menu.setActiveAction(scenes)
    scenes.menu().popup(
        menu.geometry().topLeft() + menu.actionGeometry(scenes).topRight()
    )
    window.settle(1.0)
    window.take("tags")
    choice = next(a for a in scenes.menu().actions() if a.text() == "depth")
    choice.trigger()
    scenes.menu().close()
    menu.close()
    window.settle(2.0)


def other_ends(window: Pictures) -> None:
    """Take a training that was stopped and one whose process was killed."""
    import psutil

    dock = window.dock
    window.click("page_train")
    window.scroll_to(None)
    bar = window.control("training_bar")
    for name in ("train_stopped", "train_failed"):
        window.click("train")
        window.wait(lambda: dock.trainer.is_training)
        window.wait(lambda: bar.value() > 85)
        if name == "train_stopped":
            window.click("stop_training")
        else:
            for child in psutil.Process().children():
                if child.nice() > 0 and "wait" in child.cmdline():
                    child.kill()
        window.wait(lambda: not dock.trainer.is_training)
        window.settle(1.5)
        window.take(name)
        window.forget_news()
        window.scroll_to(None)


def _glands(tile: str) -> NDArray[np.bool_]:
    """Return where glands are on a tile of the sample."""
    row, column = (128 * int(digit) for digit in tile[5:7])
    mask = imread(ROOT / "napari_mtseg" / "samples" / "epithelium.png")
    return np.asarray(mask[row : row + 128, column : column + 128] > 0)


def _inner(mask: NDArray[np.bool_], depth: int) -> NDArray[np.bool_]:
    """Return the inner part of a mask, ``depth`` pixels from its edge."""
    inner = morphology.erosion(np.pad(mask, 1), morphology.disk(depth))[1:-1, 1:-1]
    return morphology.remove_small_objects(inner, max_size=30)


SCENES: tuple[Callable[[Pictures], None], ...] = (
    before_a_training,
    nothing_open,
    training,
    results,
    export,
    other_ends,
    uncertainty,
    review,
    whole_images,
)


def main() -> None:
    """Make the pictures, in a child process where this one must make the screen."""
    screen = start_screen()
    if screen is None:
        make_pictures(sys.argv[1:])
        return
    try:
        # The screen must outlive Qt, which ends with its process.
        subprocess.run([sys.executable, *sys.argv], check=True)
    finally:
        screen.stop()


def make_pictures(scenes: list[str]) -> None:
    """Play scenes, all of them if none is named."""
    home = Path(tempfile.gettempdir()) / "mtseg"
    home.mkdir()
    FOLDER.mkdir(exist_ok=True)
    os.environ["HOME"] = str(home)
    os.environ["MTSEG_CONFIG"] = str(home / "config")
    os.environ["NAPARI_CONFIG"] = str(home / "napari.yaml")
    window = Pictures(home)
    try:
        for scene in SCENES:
            if not scenes or scene.__name__ in scenes:
                scene(window)
    finally:
        window.dock.trainer.stop()
        wait_until(lambda: not window.dock.trainer.is_training, seconds=60)
        window.dock.leave()
        window.viewer.close()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
