from qtpy.QtWidgets import QLabel, QToolButton

from napari_mtseg.gui.header import Header
from napari_mtseg.gui.page_bar import PageBar
from napari_mtseg.gui.state import SAVING, WindowState
from tests.tiny_projects import disc_project


def opened(tmp_path, qtbot):
    state = WindowState()
    header = Header(state)
    qtbot.addWidget(header)
    header.resize(340, 60)
    header.show()
    state.open_project(disc_project(tmp_path, n_images=2).path)
    return state, header


def text(header, name):
    return header.findChild(QLabel, name).text()


def test_the_header_says_where_one_is(tmp_path, qtbot):
    state, header = opened(tmp_path, qtbot)
    assert text(header, "header_project") == "discs.mtseg"
    assert text(header, "header_image") == "1 / 2   disc_0.tif"
    state.close_project()


def test_the_arrows_step_and_stop_at_the_ends(tmp_path, qtbot):
    state, header = opened(tmp_path, qtbot)
    back, on = (
        header.findChild(QToolButton, name) for name in ("previous_image", "next_image")
    )
    assert (back.isEnabled(), on.isEnabled()) == (False, True)
    on.click()
    assert state.entry.name == "disc_1.tif"
    assert (back.isEnabled(), on.isEnabled()) == (True, False)
    state.close_project()


def test_saving_is_said_in_words_not_only_in_colour(tmp_path, qtbot):
    state, header = opened(tmp_path, qtbot)
    assert text(header, "header_saving") == "● saved"
    state.saving = SAVING
    assert text(header, "header_saving") == "○ saving…"
    state.saving = "The disk is full."
    assert text(header, "header_saving") == "✖ not saved"
    assert header.findChild(QLabel, "header_saving").toolTip() == "The disk is full."
    state.close_project()


def test_a_name_that_does_not_fit_is_shortened_in_the_middle(tmp_path, qtbot):
    state, header = opened(tmp_path, qtbot)
    header.resize(130, 60)
    assert "…" in text(header, "header_image")
    state.close_project()


def test_the_page_bar_and_the_state_agree(qtbot):
    state = WindowState()
    bar = PageBar(state)
    qtbot.addWidget(bar)
    bar.buttons["train"].click()
    assert state.page == "train"
    state.page = "export"
    assert bar.buttons["export"].isChecked()
    assert not bar.buttons["train"].isChecked()
