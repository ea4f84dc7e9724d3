import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.gui.sentence_label import SentenceLabel


@pytest.mark.parametrize(
    ("kind", "sign"), [("ok", "✔ "), ("note", "! "), ("problem", "✖ "), ("plain", "")]
)
def test_a_sign_tells_the_kind_without_colour(qtbot, kind, sign):
    label = SentenceLabel("Two images", kind)
    qtbot.addWidget(label)
    assert label.text() == f"{sign}Two images"
    assert label.sentence == "Two images"
    assert label.kind == kind


def test_a_long_path_needs_no_wide_dock(qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    label = SentenceLabel("/a_folder/" * 40, "problem")
    QVBoxLayout(page).addWidget(label)
    assert page.minimumSizeHint().width() < 60
    page.resize(200, 20)
    page.show()
    assert label.heightForWidth(180) > 3 * label.fontMetrics().height()


def test_it_takes_no_room_while_it_has_nothing_to_say(qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    label = SentenceLabel()
    QVBoxLayout(page).addWidget(label)
    page.show()
    assert not label.isVisible()
    label.say("Something", "note")
    assert label.isVisible()
    label.say("")
    assert not label.isVisible()


def test_it_never_becomes_a_window_of_its_own(qtbot):
    label = SentenceLabel()
    qtbot.addWidget(label)
    label.say("Nobody has put me anywhere yet")
    assert not label.isVisible()


def test_a_number_is_not_broken_at_its_point(qtbot):
    label = SentenceLabel("Dice below 0.8 in a_b.tif.")
    qtbot.addWidget(label)
    assert "0.8" in label.text()
    assert "b.\u200btif" in label.text()
