"""Annotating and training on an image larger than memory: memory and lag.

    python -m benchmarks.large_annotation --side 32768

A generated OME-Zarr with a pyramid is added to a project and opened in the window.
Strokes are painted with real mouse events in two far corners, saved, and read again by
a second window; then a baseline is trained on them for a few steps. Printed are the
peak memory of the window and of the training, how long it took to get to each place,
and how late the event loop was while painting. Wanted: the window below 2.5 GB, the
training below 3 GB, p99 of the lag below 50 ms.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.large_image import write_large_image
from benchmarks.window_driver import Hand, start_screen, wait_until
from benchmarks.window_latency import plain_row

WINDOW = (1280, 800)
"""width and height, pixels"""
ZOOM = 2.0
"""canvas pixels per pixel of the image while painting"""
TICK = 0.005
"""seconds between two looks at the clock"""
MOVE_EVERY = 0.02
"""seconds between two mouse moves"""
STROKE_MOVES = 40
SPACING = 0.5
"""micrometres per pixel"""
GB = 1e9


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    if arguments.part == "window":
        print(json.dumps(window_figures(arguments.project, arguments.seconds)))
        return
    if arguments.part == "plain":
        print(json.dumps(plain_row(seconds=arguments.seconds)))
        return
    screen = start_screen()
    try:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            figures = measure(
                Path(folder),
                side=arguments.side,
                image=arguments.image,
                seconds=arguments.seconds,
                steps=arguments.steps,
            )
    finally:
        if screen is not None:
            screen.stop()
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:44}{value:10.2f}")


def measure(
    folder: Path, *, side: int, image: Path | None, seconds: float, steps: int
) -> dict[str, float]:
    """Return the figures by name."""
    began = time.monotonic()
    file = image or write_large_image(folder / "slide.ome.zarr", side=side)
    figures = {"image made, s": time.monotonic() - began}
    # Without this plugin, and with an image of 2048 x 2048 pixels.
    plain = _part("plain", seconds)
    figures |= {f"plain napari: lag {name}, ms": plain[name] for name in ("p50", "p99")}
    project = folder / "slides.mtseg"
    _run(["project", "new", str(project), "--classes", "disc"])
    peak, took = _run(["project", "add", str(project), str(file)])
    figures |= {"added, s": took, "added, peak GB": peak}
    for name in ("first", "second"):
        found = _part("window", seconds, project)
        figures |= {f"{name} window: {key}": value for key, value in found.items()}
    peak, took = _run(["project", "info", str(project)])
    figures |= {"project info, s": took, "project info, peak GB": peak}
    settings = ("steps", steps), ("base_channels", 8), ("patch", 128)
    values = [f"--set={key}={value}" for key, value in settings]
    peak, took = _run(["train", str(project), "--method", "baseline", *values])
    figures |= {"training, s": took, "training, peak GB": peak}
    return figures


def window_figures(project: Path, seconds: float) -> dict[str, float]:
    """Open the project, paint in two corners, and return the figures of the window."""
    import napari

    from napari_mtseg.gui.menu_entries import open_dock

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    dock = open_dock(viewer)
    began = time.monotonic()
    dock.open_project(project)
    wait_until(lambda: dock.editing.is_shown, seconds=300)
    figures = {"opened, s": time.monotonic() - began}
    dock.state.page = "annotate"
    dock.state.draw_as = "partial"
    entry = dock.state.entry
    if entry is None:
        raise RuntimeError("the project shows no image")
    side = entry.spatial_shape[-1]
    before = dock.editing.counts
    lags: list[float] = []
    corners = (side * 3 // 64, side - side * 3 // 64)
    found = []
    for place in corners:
        began = time.monotonic()
        _go_to(viewer, dock, place * SPACING)
        figures[f"at {place}, s"] = time.monotonic() - began
        found.append(dock.editing.counts.n_partial)
        lags += _paint(viewer, dock, place * SPACING, seconds=seconds)
        _paint_background(viewer, dock, place * SPACING)
        wait_until(dock.editing.flush, seconds=60)
        dock.state.draw_as = "partial"
    p50, p99 = np.percentile(np.array(lags) * 1000, (50, 99))
    figures |= {
        "objects found there": float(min(found)),
        "objects painted": float(dock.editing.counts.n_partial - before.n_partial),
        "lag p50, ms": p50,
        "lag p99, ms": p99,
        "lag max, ms": 1000 * max(lags),
    }
    viewer.reset_view()
    _work(1.0)
    figures["peak GB"] = _peak_of(psutil.Process())
    dock.leave()
    viewer.close()
    return figures


def _go_to(viewer: Any, dock: Any, place: float) -> None:
    """Zoom in on (place, place) of the world, and wait until one can paint there."""
    viewer.scene.camera.center = (0, place, place)
    viewer.scene.camera.zoom = ZOOM / SPACING
    layer = viewer.layers["Partial masks"]

    def can_paint() -> bool:
        first = layer.translate[-1]
        last = first + layer.data.shape[-1] * SPACING
        return first <= place <= last and not dock.editing.hint

    wait_until(can_paint, seconds=120)
    dock.editing.take_brush()
    wait_until(lambda: layer.mode == "paint", seconds=60)
    layer.brush_size = 12


def _paint(viewer: Any, dock: Any, place: float, *, seconds: float) -> list[float]:
    """Paint strokes for some seconds; return how late each tick was, in seconds."""
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    hand = Hand(viewer, dock, settles=False)
    path, late, last, count = _zigzag(place), [], [time.perf_counter()], [0]

    def tick() -> None:
        now = time.perf_counter()
        late.append(max(0.0, now - last[0] - TICK))
        last[0] = now

    def move() -> None:
        step, point = count[0] % STROKE_MOVES, next(path)
        if step == 0:
            hand.press(point)
        elif step == STROKE_MOVES - 1:
            hand.release(point)
        else:
            hand.move(point)
        count[0] += 1

    loop, clock, mover = QEventLoop(), QTimer(), QTimer()
    for timer, every, action in ((clock, TICK, tick), (mover, MOVE_EVERY, move)):
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(action)
        timer.start(round(every * 1000))
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    last[0] = time.perf_counter()
    loop.exec()
    clock.stop()
    mover.stop()
    hand.release(next(path))
    return late


def _paint_background(viewer: Any, dock: Any, place: float) -> None:
    """Paint one background stroke below the others."""
    from napari_mtseg.domain.annotation import SCRIBBLE_BACKGROUND

    dock.state.paint_code = SCRIBBLE_BACKGROUND
    wait_until(lambda: viewer.layers["Scribbles"].mode == "paint", seconds=60)
    y = place + 170 * SPACING
    reach = 150 * SPACING
    xs = np.linspace(place - reach, place + reach, STROKE_MOVES)
    Hand(viewer, dock).stroke([(y, float(x)) for x in xs])


def _zigzag(place: float) -> Iterator[tuple[float, float]]:
    """Walk over the view row by row, a stroke in each, in world units."""
    reach, row = 150 * SPACING, 0
    while True:
        y = place - reach + row % 12 * 24 * SPACING
        for x in np.linspace(place - reach, place + reach, STROKE_MOVES):
            yield y, float(x)
        row += 1


def _work(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, seconds=seconds + 60)


def _part(name: str, seconds: float, project: Path | None = None) -> dict[str, float]:
    """Return the figures of a window in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.large_annotation", "--part", name]
    command += ["--seconds", str(seconds)]
    command += [] if project is None else ["--project", str(project)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return figures


def _run(arguments: list[str]) -> tuple[float, float]:
    """Run `mtseg` and return its peak memory in GB and how long it took."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_mtseg.cli.main", *arguments],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"mtseg {' '.join(arguments)} ended with {status}")
    return usage.ru_maxrss * 1024 / GB, time.monotonic() - began


def _peak_of(process: psutil.Process) -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return float(max(peak, process.memory_info().rss)) / GB


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32768, help="rows and columns")
    parser.add_argument("--image", type=Path, help="an OME-Zarr that exists already")
    parser.add_argument("--folder", type=Path, help="where to work; needs 3 GB")
    parser.add_argument("--seconds", type=float, default=8, help="painting per corner")
    parser.add_argument("--steps", type=int, default=20, help="of the training")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=["all", "plain", "window"], default="all")
    parser.add_argument("--project", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
