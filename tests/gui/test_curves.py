import math
import sys
from time import perf_counter

import pytest

from napari_mtseg.gui.curves import MAX_POINTS, CurvePlot, Series, TrainingCurves


def test_few_points_are_kept_as_they_are():
    series = Series(max_points=10)
    for n in range(5):
        series.add(n, n * n)
    assert series.x == [0, 1, 2, 3, 4]
    assert series.y == [0, 1, 4, 9, 16]


def test_many_points_become_means_of_neighbours_and_stay_few():
    series = Series(max_points=8)
    for n in range(1000):
        series.add(n, 2 * n)
    assert len(series.x) <= 8
    assert series.y == pytest.approx([2 * x for x in series.x])
    assert series.x == sorted(series.x)


def test_what_is_not_finite_is_left_out():
    series = Series()
    for value in (math.nan, math.inf, 1.0):
        series.add(1, value)
    assert series.y == [1.0]


def test_points_that_are_taken_back_are_gone():
    series = Series()
    for n in range(1, 11):
        series.add(n, n)
    series.forget_after(4)
    series.add(5, 50)
    assert series.x == [1, 2, 3, 4, 5]


@pytest.fixture
def curves(qtbot):
    made = TrainingCurves()
    qtbot.addWidget(made)
    made.show()
    return made


def test_live_curves_are_drawn_soon_and_not_at_once(curves, qtbot):
    for n in range(1, 50):
        curves.add_losses(n, {"segmentation": 0.5 / n, "total": 1 / n})
    assert curves.loss_plot.names == ()
    qtbot.waitUntil(lambda: curves.loss_plot.names == ("total", "segmentation"))
    assert curves.loss_plot.isVisible()
    assert not curves.score_plot.isVisible()
    curves.add_scores(40, {"Dice": 0.5})
    qtbot.waitUntil(lambda: curves.score_plot.isVisible())


def test_curves_are_told_apart_without_colour(curves, qtbot):
    curves.add_losses(1, {"total": 1.0, "segmentation": 0.5, "approximation": 0.5})
    curves.redraw()
    drawn = curves.loss_plot._curves.values()
    styles = {curve.opts["pen"].style() for curve in drawn}
    assert len(styles) == 3


def test_drawing_full_curves_does_not_hold_the_window_up(curves):
    for n in range(4 * MAX_POINTS):
        curves.add_losses(n, dict.fromkeys("abcd", 1.0))
    curves.redraw()
    began = perf_counter()
    for _ in range(5):
        curves.redraw()
        curves.grab()
    assert (perf_counter() - began) / 5 < 0.1


def test_the_hook_for_errors_stays_that_of_napari(qtbot, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    plot = CurvePlot("Loss", "loss", tooltip="")
    qtbot.addWidget(plot)
    assert sys.excepthook is sys.__excepthook__
