from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTableWidget

from napari_mtseg.gui.curves import CurvePlot, Series
from napari_mtseg.gui.run_comparison import RunComparison, score_rows
from napari_mtseg.gui.run_records import RunRecord


def record(**facts):
    curve = Series()
    for n in range(1, 10):
        curve.add(n, 1 / n)
    known = {
        "id": "20260101-000000-baseline",
        "method": "baseline",
        "created": "1 Jan 12:00",
        "outcome": "done",
        "n_steps": 40,
        "total_steps": 40,
        "curves": {"loss": curve, "score": Series()},
    }
    return RunRecord(**{**known, **facts})


def cells(table):
    return [
        [table.item(i, j).text() for j in range(table.columnCount())]
        for i in range(table.rowCount())
    ]


def test_scores_are_beside_each_other_and_the_best_is_signed():
    runs = [
        record(metrics={"score": 0.8}),
        record(metrics={"score": 0.9}, n_steps=5, outcome="stopped"),
        record(metrics={}),
    ]
    assert score_rows(runs) == {
        "Steps": ("40 of 40, done", "5 of 40, stopped", "40 of 40, done"),
        "Score": ("0.800", "0.900 ★", "-"),
    }


def test_settings_that_differ_and_curves_are_shown(qtbot):
    window = RunComparison([record(settings={"steps": 1}), record(settings={})])
    qtbot.addWidget(window)
    table = window.findChild(QTableWidget, "setting_table")
    assert table.verticalHeaderItem(0).text() == "Steps"
    assert cells(table) == [["1", "-"]]
    plot = window.findChild(CurvePlot, "compared_loss")
    assert plot.names == ("1 Jan 12:00, 1", "1 Jan 12:00, 2")
    assert window.findChild(CurvePlot, "compared_score") is None


def test_runs_without_a_difference_say_so(qtbot):
    window = RunComparison([record(), record()])
    qtbot.addWidget(window)
    assert window.findChild(QTableWidget, "setting_table") is None


def test_a_closed_comparison_is_gone(qtbot):
    window = RunComparison([record(), record()])
    window.show()
    assert window.testAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    with qtbot.waitSignal(window.destroyed):
        window.close()
