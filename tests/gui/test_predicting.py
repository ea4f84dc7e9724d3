"""Predicting all images while a person looks at them."""

import os
import time

import pytest
from qtpy.QtWidgets import QPushButton

from napari_mtseg.gui.predicting import Predicting
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import FACTS
from tests.gui.fake_commands import FakeCommands
from tests.gui.review_projects import predicted_project


@pytest.fixture
def project_and_run(tmp_path):
    return predicted_project(tmp_path, (0.1, 0.2, 0.3))


def test_each_image_that_is_looked_at_arrives_when_it_is_replaced(
    qtbot, project_and_run
):
    project, run = project_and_run
    first, second, third = (entry.id for entry in project.images)
    files = project.path / "predictions" / run
    for key in (first, second, third):
        os.utime(files / key / FACTS, (1, 1))
    state, commands, seen = WindowState(), FakeCommands(), []
    state.open_project(project.path)
    predicting = Predicting(state, commands)
    qtbot.addWidget(predicting)
    predicting.arrived.connect(lambda: seen.append(state.image_id))
    predicting.set_run(run)
    predicting.findChild(QPushButton, "predict_all").click()

    def replace(key):
        os.utime(files / key / FACTS, (time.time() + 10,) * 2)
        predicting._look()

    replace(first)
    qtbot.waitUntil(lambda: seen == [first])
    state.image_id = second
    replace(second)
    qtbot.waitUntil(lambda: seen == [first, second])
    state.image_id = first
    replace(third)
    qtbot.waitUntil(lambda: third in predicting._arrived)
    assert seen == [first, second]
    commands.answer({"predicted": [], "failed": []})
    state.close_project()
