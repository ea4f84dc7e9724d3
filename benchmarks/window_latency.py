"""Event-loop lag of the window while one paints, idle and during a training.

    python -m benchmarks.window_latency

Continuous strokes go to the canvas as real mouse events, 50 a second, on a 2048x2048
image with all layers in place. A timer of 5 ms says how late the event loop is. Wanted:
p99 with training at most 1.3 times p99 idle and below 50 ms, at most 200 ms ever.
Without a graphics card each drawing of the canvas costs tens of milliseconds, so plain
napari with the same image and one Labels layer is measured beside it.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.window_driver import Hand, start_screen, wait_until

SIZE = 2048
WINDOW = (1280, 800)
"""width and height, pixels"""
TICK = 0.005
"""seconds between two looks at the clock"""
MOVE_EVERY = 0.02
"""seconds between two mouse moves"""
STROKE_MOVES = 60
N_SMALL = 2
"""painted images to train on"""
WARM_UP = 3.0
"""seconds of painting that do not count"""


def main() -> None:
    """Measure and print both rows."""
    arguments = _arguments()
    screen = start_screen()
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = {"plain napari": plain_row(seconds=arguments.seconds)}
            rows |= measure(Path(folder), seconds=arguments.seconds)
    finally:
        if screen is not None:
            screen.stop()
    ratio = rows["training"]["p99"] / rows["idle"]["p99"]
    if arguments.json:
        print(json.dumps({**rows, "ratio_p99": ratio}))
        return
    print(f"{'':13}" + "".join(f"{name:>9}" for name in rows["idle"]) + "  (ms)")
    for name, row in rows.items():
        print(f"{name:13}" + "".join(f"{value:9.1f}" for value in row.values()))
    print(f"p99 with training / idle: {ratio:.2f}")


def plain_row(*, seconds: float) -> dict[str, float]:
    """Return the lag in ms while painting in napari without this plugin."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    window = next(
        w for w in QApplication.topLevelWidgets() if w.windowTitle() == viewer.title
    )
    window.resize(*WINDOW)
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE), np.uint8))
    viewer.add_labels(np.zeros((SIZE, SIZE), np.uint32)).mode = "paint"
    painting = _Painting(viewer, Hand(viewer, window, settles=False))
    painting.run(WARM_UP)
    row = _row(painting.run(seconds))
    viewer.close()
    return row


def measure(folder: Path, *, seconds: float) -> dict[str, dict[str, float]]:
    """Return the lag in ms: 'idle' and 'training' -> p50, p95, p99, max, n."""
    import napari

    from napari_mtseg.gui.menu_entries import open_dock

    project = _project(folder)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    dock = open_dock(viewer)
    dock.open_project(project)
    wait_until(lambda: "Partial masks" in viewer.layers, seconds=60)
    dock.state.page = "annotate"
    dock.state.draw_as = "partial"
    is_ready: list[bool] = []
    dock.trainer.prepared.connect(lambda: is_ready.append(True))
    wait_until(lambda: dock.editing.is_shown, seconds=60)
    for _ in range(N_SMALL):
        dock.state.step_image(1)
        wait_until(lambda: dock.editing.is_shown, seconds=60)
    wait_until(lambda: viewer.layers["Partial masks"].mode == "paint", seconds=60)
    wait_until(lambda: bool(is_ready), seconds=120)
    painting = _Painting(viewer, Hand(viewer, dock, settles=False))
    _show_results(dock)
    painting.run(WARM_UP)
    rows = {"idle": _row(painting.run(seconds))}
    dock.state.page = "train"
    dock.pages["train"].train()
    wait_until(lambda: dock.trainer.is_training, seconds=120)
    painting.run(WARM_UP)
    rows["training"] = _row(painting.run(seconds))
    if not dock.trainer.is_training:
        sys.stderr.write("the training ended before the measurement did\n")
    dock.trainer.stop()
    wait_until(lambda: not dock.trainer.is_training, seconds=60)
    dock.leave()
    viewer.close()
    return rows


def _show_results(dock: Any) -> None:
    """Put in place the layers that a training refreshes, so that both rows draw them.

    Without a graphics card each visible layer costs some milliseconds per drawing.
    """
    blocks = np.zeros((SIZE, SIZE), np.uint32)
    blocks[200:600, 200:600], blocks[900:1500, 900:1500] = 1, 2
    dock.overlays.show_maps((blocks > 0).astype(np.uint8), blocks)
    dock.overlays.show_grown(blocks, {1: 1, 2: 1})
    live = {"Segmentation", "Instances", "Contours", "Grown masks"}
    wait_until(lambda: live <= set(dock.overlays.names), seconds=60)


class _Painting:
    """Strokes without end, and a clock beside them."""

    def __init__(self, viewer: Any, hand: Hand) -> None:
        self._hand = hand
        self._path = _spiral(viewer)

    def run(self, seconds: float) -> list[float]:
        """Paint for some seconds; return how late each tick was, in seconds."""
        from qtpy.QtCore import QEventLoop, QTimer

        late: list[float] = []
        loop = QEventLoop()
        last = [time.perf_counter()]
        count = [0]

        def tick() -> None:
            now = time.perf_counter()
            late.append(max(0.0, now - last[0] - TICK))
            last[0] = now

        def move() -> None:
            step = count[0] % STROKE_MOVES
            point = next(self._path)
            if step == 0:
                self._hand.press(point)
            elif step == STROKE_MOVES - 1:
                self._hand.release(point)
            else:
                self._hand.move(point)
            count[0] += 1

        clock, mover = QTimer(), QTimer()
        for timer, every, action in ((clock, TICK, tick), (mover, MOVE_EVERY, move)):
            timer.setTimerType(_precise())
            timer.timeout.connect(action)
            timer.start(round(every * 1000))
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        last[0] = time.perf_counter()
        loop.exec()
        clock.stop()
        mover.stop()
        return late


def _precise() -> Any:
    from qtpy.QtCore import Qt

    return Qt.TimerType.PreciseTimer


def _spiral(viewer: Any) -> Iterator[tuple[float, float]]:
    """Walk over the visible part of the image."""
    y, x = viewer.scene.camera.center[-2:]
    reach = SIZE / 2 * 0.7
    step = 0
    while True:
        angle = step * 0.05
        radius = reach * (0.2 + 0.8 * abs(math.sin(step * 0.0013)))
        yield y + radius * math.sin(angle), x + radius * math.cos(angle)
        step += 1


def _row(late: list[float]) -> dict[str, float]:
    values = np.array(late) * 1000
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"p50": p50, "p95": p95, "p99": p99, "max": values.max(), "n": len(values)}


def _project(folder: Path) -> Path:
    """Make a project of painted images to train on and, last, a big one."""
    from dataclasses import replace

    from napari_mtseg.domain.annotation import (
        CompleteRegion,
        ObjectMasks,
        Tags,
        empty_annotation,
    )
    from napari_mtseg.storage.project import Project

    project = Project.create(folder / "latency.mtseg", classes=["disc", "ring"])
    rng = np.random.default_rng(0)
    for index, size in enumerate((256,) * N_SMALL + (SIZE,)):
        y, x = np.mgrid[:size, :size]
        disc = (y % 128 - 64) ** 2 + (x % 128 - 64) ** 2 < 40**2
        pixels = 60 + 120 * disc + rng.normal(0, 20, disc.shape)
        file = folder / f"image_{index}.tif"
        tifffile.imwrite(file, np.clip(pixels, 0, 255).astype(np.uint8))
        entry = project.add_image(file)
        if size == SIZE:
            continue
        ids = (1 + (y // 128) * (size // 128) + x // 128).astype(np.uint32)
        objects = np.where(disc, ids, 0).astype(np.uint32)
        masks = ObjectMasks(
            objects=objects, class_of={int(i): 1 for i in np.unique(objects) if i}
        )
        blank = empty_annotation(disc.shape)
        painted = (
            replace(blank, full=masks, complete=CompleteRegion(whole=True))
            if index == 0
            else replace(blank, partial=masks, tags=Tags(exhaustive=True))
        )
        project.save_annotation(entry, painted)
    return project.path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="painting per row")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
