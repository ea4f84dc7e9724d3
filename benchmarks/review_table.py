"""The Review page with many images: time to open, and event-loop lag while one works.

    python -m benchmarks.review_table

A project of 10,000 small images with a prediction each is opened in a real window. A
timer of 5 ms says how late the event loop is while the table is scrolled, sorted and
filtered, the threshold is dragged and verdicts are given. Wanted: open in under 3 s,
p99 of the lag under 50 ms. Beside it stands how long the window's thread computed
between two ticks, which other programs on the machine change little. A verdict shows
the next image: what that alone costs is the row 'showing images'.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.window_driver import start_screen
from napari_mtseg.domain.review import SCORES

SIDE = 16
"""height and width of an image, pixels"""
N_FILES = 20
"""image files; images share them"""
N_DESCRIPTOR = 16
"""numbers that say what an image looks like"""
WINDOW = (1280, 900)
"""width and height, pixels"""
TICK = 0.005
"""seconds between two looks at the clock"""
WARM_UP = 4.0
"""seconds after opening the window, and then the project, that do not count"""
COLUMNS = ("p50", "p99", "max", "computed p99", "computed max")
"""milliseconds; the last two are processor time of the window's thread"""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    screen = start_screen()
    try:
        with tempfile.TemporaryDirectory() as folder:
            project = make_project(Path(folder), n_images=arguments.images)
            figures = measure(project, seconds=arguments.seconds)
    finally:
        if screen is not None:
            screen.stop()
    if arguments.json:
        print(json.dumps({"images": arguments.images, **figures}))
        return
    print(f"{arguments.images:,} images")
    for name, value in figures["seconds"].items():
        print(f"{name:32}{value:9.2f} s")
    print(f"{'lag (ms) while':20}" + "".join(f"{name:>14}" for name in COLUMNS))
    for name, row in figures["lag"].items():
        print(f"{name:20}" + "".join(f"{row[each]:14.1f}" for each in COLUMNS))


def make_project(folder: Path, *, n_images: int) -> Path:
    """Return a project of small images, each predicted by one run."""
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import new_run_folder

    project = Project.create(folder / "many.mtseg", classes=["disc"])
    rng = np.random.default_rng(0)
    for n in range(N_FILES):
        file = folder / f"tile_{n:05}.tif"
        tifffile.imwrite(file, rng.integers(0, 255, (SIDE, SIDE)).astype(np.uint8))
        project.add_image(file)
    first, *_ = entries = list(project.images)
    facts = {"method": "baseline", "settings": {}, "seed": 0, "device": "cpu"}
    run = new_run_folder(project.path, {**facts, "versions": {}})
    run.checkpoint("best").parent.mkdir()
    run.checkpoint("best").touch()
    predictions = project.path / "predictions" / run.path.name
    _save_prediction(predictions / first.id)
    template = json.loads((predictions / first.id / "prediction.json").read_text())
    for n in range(n_images):
        key, entry = f"tile_{n:05}", entries[n % N_FILES]
        again = {"id": key, "name": f"{key}.tif", "group": key}
        text = json.dumps({**entry.model_dump(mode="json"), **again})
        (project.path / "images" / f"{key}.json").write_text(text)
        _copy_prediction(predictions / first.id, predictions / key, template, rng)
    return project.path


def _save_prediction(folder: Path) -> None:
    from napari_mtseg.domain.prediction import Prediction
    from napari_mtseg.storage.prediction_files import save_prediction

    objects = np.zeros((SIDE, SIDE), np.uint32)
    objects[4:10, 4:10] = 1
    inside = (objects > 0).astype(np.float16)
    made = Prediction(
        classes=(objects > 0).astype(np.uint8),
        probabilities=np.stack([1 - inside, inside]),
        instances=objects,
        class_of={1: 1},
    )
    save_prediction(folder, made, spacing=(1, 1), unit="pixel")


def _copy_prediction(
    source: Path, folder: Path, template: dict[str, Any], rng: np.random.Generator
) -> None:
    """Link the maps, which no measurement changes, and write scores of its own."""
    folder.mkdir(exist_ok=True)
    for file in source.glob("*.tif"):
        if folder != source:
            os.link(file, folder / file.name)
    scores = {name: float(rng.beta(1.5, 8)) for name in SCORES}
    size, shape, fill = rng.normal((4, 0.3, 0.8), (0.5, 0.1, 0.05))
    statistics = {
        "n": 1.0,
        "log_size_mean": size,
        "log_size_variance": 0.0,
        "log_elongation_mean": shape,
        "log_elongation_variance": 0.0,
        "fill_mean": fill,
        "fill_variance": 0.0,
    }
    told = {**template, "scores": scores, "statistics": statistics}
    told["descriptor"] = [float(value) for value in rng.random(N_DESCRIPTOR)]
    (folder / "prediction.json").write_text(json.dumps(told))


def measure(project: Path, *, seconds: float) -> dict[str, Any]:
    """Return 'seconds' until things are shown, and 'lag' in ms by kind of work."""
    import napari

    from napari_mtseg.gui.menu_entries import open_dock

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    dock = open_dock(viewer)
    # Nobody chooses a project sooner.
    _late(1, lambda: None, until=_after(WARM_UP))
    opened, lag_first = _open(dock, project)
    dock.state.close_project()
    again, lag_again = _open(dock, project)
    took = {**opened, **{f"{name}, again": again[name] for name in again}}
    lag = {"opening": lag_first, "opening, again": lag_again}
    panel = _panel(dock)
    # What opening has left to do is not the table's.
    _late(1, lambda: None, until=_after(WARM_UP))
    for name, (every, act) in _work(dock, panel).items():
        lag[name] = _row(_late(every, act, until=_after(seconds)))
    dock.leave()
    viewer.close()
    return {"seconds": took, "lag": lag}


def _panel(dock: Any) -> Any:
    from qtpy.QtWidgets import QWidget

    return dock.findChild(QWidget, "triage")


def _open(dock: Any, project: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Open a project and its Review page; return how long it took, and the lag."""
    shown: dict[str, float] = {}
    began, panel = time.perf_counter(), _panel(dock)
    computed = time.process_time()

    def note(name: str, is_so: bool) -> bool:
        if is_so:
            shown.setdefault(name, time.perf_counter() - began)
        return is_so

    dock.open_project(project)
    note("window answers", is_so=True)
    late = _late(
        1,
        lambda: None,
        until=lambda: note("first image shown", is_so=dock.editing.is_shown),
    )
    dock.state.page = "review"
    late += _late(
        1,
        lambda: None,
        until=lambda: note("results listed", is_so=panel.table.rowCount() > 0),
    )
    shown["processor time of all that"] = time.process_time() - computed
    return shown, _row(late)


def _work(dock: Any, panel: Any) -> dict[str, tuple[float, Callable[[], object]]]:
    """Return kinds of work: name -> seconds between two actions, action."""
    bar = panel.view.verticalScrollBar()
    boxes = {
        name: _box(panel, name) for name in ("review_score", "review_state_filter")
    }
    columns = itertools.cycle((0, 1, 2, 1))
    turns = itertools.count()

    def scroll() -> None:
        bar.setValue((bar.value() + 300) % bar.maximum())

    def sort() -> None:
        header = panel.view.horizontalHeader()
        order = header.sortIndicatorOrder()
        panel.view.sortByColumn(next(columns), order)

    def choose(name: str) -> None:
        box = boxes[name]
        box.setCurrentIndex((box.currentIndex() + 1) % box.count())
        box.activated.emit(box.currentIndex())

    def drag() -> None:
        turn = next(turns)
        _drag(panel, 0.5 + 0.4 * np.sin(turn / 10), lets_go=turn % 50 == 49)

    def judge() -> None:
        act = panel.actions_by_name()
        act[("accept", "reject", "skip")[next(turns) % 3]]()

    return {
        "scrolling": (0.02, scroll),
        "sorting": (0.25, sort),
        "other scores": (0.25, lambda: choose("review_score")),
        "filtering": (0.25, lambda: choose("review_state_filter")),
        "dragging": (0.02, drag),
        "showing images": (0.4, lambda: dock.state.step_image(1)),
        "verdicts": (0.4, judge),
        "undo": (0.4, panel.actions_by_name()["undo_verdict"]),
    }


def _box(panel: Any, name: str) -> Any:
    from qtpy.QtWidgets import QComboBox

    return panel.findChild(QComboBox, name)


def _drag(panel: Any, share: float, *, lets_go: bool) -> None:
    """Move the line of the histogram as the mouse does, to a share of its width."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QWidget

    line = panel.findChild(QWidget, "doubt_histogram")
    y, left = line.height() // 2, Qt.MouseButton.LeftButton
    QTest.mousePress(line, left, pos=QPoint(round(line.line_x()), y))
    QTest.mouseMove(line, QPoint(round(share * line.width()), y))
    if lets_go:
        QTest.mouseRelease(line, left, pos=QPoint(round(share * line.width()), y))


def _after(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def _late(
    every: float, act: Callable[[], object], *, until: Callable[[], bool]
) -> list[tuple[float, float]]:
    """Act again and again; return of each tick of the clock how late it was.

    Returns
    -------
    list of (float, float)
        Seconds after its time, and processor time of this thread since the last tick.
    """
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    late: list[tuple[float, float]] = []
    loop, last = QEventLoop(), [time.perf_counter(), time.thread_time()]

    def tick() -> None:
        now, computed = time.perf_counter(), time.thread_time()
        late.append((max(0.0, now - last[0] - TICK), computed - last[1]))
        last[:] = [now, computed]
        if until():
            loop.quit()

    clock, worker = QTimer(), QTimer()
    for timer, pause, action in ((clock, TICK, tick), (worker, every, act)):
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(action)
        timer.start(round(pause * 1000))
    loop.exec()
    clock.stop()
    worker.stop()
    return late


def _row(late: list[tuple[float, float]]) -> dict[str, float]:
    lag, computed = np.array(late).T * 1000
    p50, p99 = np.percentile(lag, (50, 99))
    busy = np.percentile(computed, 99)
    row = (p50, p99, lag.max(), busy, computed.max())
    return dict(zip(COLUMNS, map(float, row), strict=True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="images")
    parser.add_argument("--seconds", type=float, default=5, help="of each work")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
