import time

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.image_facts import ImageFacts, TagChoices, size_in_words
from napari_mtseg.gui.image_table import Column, ImageTable
from napari_mtseg.gui.image_table_view import ImageTableView
from napari_mtseg.gui.thumbnails import Thumbnails
from napari_mtseg.storage.image_tags import TagChange

DOWN = Qt.SortOrder.DescendingOrder
UP = Qt.SortOrder.AscendingOrder


def entry_of(name, shape=(1, 20, 30), split="train"):
    return ImageEntry(
        id=name.split(".")[0],
        name=name,
        source=f"../{name}",
        axes="CZYX"[-len(shape) :] if len(shape) == 4 else "CYX",
        shape=shape,
        rgb=False,
        dtype="uint8",
        spacing=(1.0,) * (len(shape) - 1),
        unit="pixel",
        fingerprint=name,
        group=name,
        split=split,
    )


@pytest.fixture
def thumbnails(qapp):
    return Thumbnails()


@pytest.fixture
def table(thumbnails, qtmodeltester):
    table = ImageTable(thumbnails)
    table.show_images(
        [
            entry_of("cat.tif", (1, 10, 10), "test"),
            entry_of("bee.tif", (1, 40, 40)),
            entry_of("ant.tif", (1, 20, 20), "validate"),
        ]
    )
    qtmodeltester.check(table)
    return table


def names(table):
    return [table.image_at(row).name for row in range(table.rowCount())]


def cell(table, row, column, role=Qt.ItemDataRole.DisplayRole):
    return table.data(table.index(row, column), role)


def test_images_stand_in_the_order_of_their_names(table):
    assert names(table) == ["ant.tif", "bee.tif", "cat.tif"]


def test_every_column_sorts(table):
    table.set_facts(
        {
            "ant": ImageFacts(n_predictions=1, tags=Tags(scene=1)),
            "bee": ImageFacts(n_full=2, is_reviewed=True, tags=Tags(scene=0)),
            "cat": ImageFacts(n_partial=3, n_predictions=4),
        }
    )
    first = {
        Column.IMAGE: ("ant.tif", "cat.tif"),
        Column.SIZE: ("cat.tif", "bee.tif"),
        Column.PAINT: ("ant.tif", "bee.tif"),
        Column.PREDICTED: ("bee.tif", "cat.tif"),
        Column.REVIEWED: ("ant.tif", "bee.tif"),
        Column.SPLIT: ("bee.tif", "cat.tif"),
        Column.SCENE: ("bee.tif", "cat.tif"),
    }
    for column, (least, most) in first.items():
        table.sort(column, UP)
        assert names(table)[0] == least, column
        table.sort(column, DOWN)
        assert names(table)[0] == most, column


def test_the_filter_takes_a_part_of_the_name_and_a_state(table):
    table.set_filter("A", "all")
    assert names(table) == ["ant.tif", "cat.tif"]
    table.set_facts({"ant": ImageFacts(n_full=1, n_predictions=1)})
    shown = {
        "painted": ["ant.tif"],
        "unpainted": ["bee.tif", "cat.tif"],
        "predicted": ["ant.tif"],
        "unpredicted": ["bee.tif", "cat.tif"],
        "missing": [],
    }
    for state, expected in shown.items():
        table.set_filter("", state)
        assert names(table) == expected


def test_an_image_that_gets_paint_leaves_the_unpainted(table):
    table.set_filter("", "unpainted")
    table.set_facts({"bee": ImageFacts(has_scribbles=True)})
    assert names(table) == ["ant.tif", "cat.tif"]


def test_what_came_of_an_image_stands_below_its_paint(table):
    assert cell(table, 0, Column.PAINT) == ""
    table.set_facts({"ant": ImageFacts(n_partial=1, n_predictions=2)})
    assert cell(table, 0, Column.PAINT) == "P\npredicted"
    tip = cell(table, 0, Column.PAINT, Qt.ItemDataRole.ToolTipRole)
    assert tip == "1 partial mask. Predicted by 2 runs. Not reviewed yet."
    table.set_facts({"ant": ImageFacts(n_predictions=2, is_reviewed=True)})
    assert cell(table, 0, Column.PAINT) == "reviewed"


def test_the_size_names_planes():
    assert size_in_words(entry_of("a.tif", (3, 20, 30))) == "30 x 20"
    assert size_in_words(entry_of("a.tif", (1, 7, 20, 30))) == "30 x 20, 7 planes"


def test_a_missing_file_is_said_in_words(table):
    table.set_facts({"ant": ImageFacts(is_missing=True)})
    assert "file is missing" in cell(table, 0, Column.IMAGE)
    tip = cell(table, 0, Column.IMAGE, Qt.ItemDataRole.ToolTipRole)
    assert "Find moved images" in tip


def test_the_image_on_the_canvas_is_marked_by_more_than_colour(table):
    table.set_current("bee")
    assert cell(table, 1, Column.IMAGE).startswith("▶ bee.tif")
    assert cell(table, 1, Column.IMAGE, Qt.ItemDataRole.FontRole).bold()
    table.set_current("cat")
    assert not cell(table, 1, Column.IMAGE).startswith("▶")


def test_another_split_is_asked_for_and_shows_once_it_is_saved(qtbot, table):
    index = table.index(0, Column.SPLIT)
    with qtbot.waitSignal(table.split_asked) as asked:
        table.setData(index, "test")
    assert asked.args == ["ant", "test"]
    assert cell(table, 0, Column.SPLIT) == "validate"
    with qtbot.assertNotEmitted(table.split_asked):
        table.setData(index, "validate")


def test_only_rows_that_are_seen_ask_for_pictures(qtbot, thumbnails, monkeypatch):
    asked = set()
    monkeypatch.setattr(thumbnails, "pixmap", lambda entry: asked.add(entry.id))
    table = ImageTable(thumbnails)
    table.show_images([entry_of(f"image_{n:04}.tif") for n in range(500)])
    view = ImageTableView(table)
    qtbot.addWidget(view)
    view.resize(340, 300)
    with qtbot.waitExposed(view):
        view.show()
    qtbot.waitUntil(lambda: bool(asked))
    assert len(asked) < 20


def test_five_thousand_images_are_sorted_and_filtered_at_once(thumbnails):
    table = ImageTable(thumbnails)
    entries = [entry_of(f"image_{n}.tif") for n in range(5000)]
    table.show_images(entries)
    table.set_facts({e.id: ImageFacts(n_partial=len(e.id) % 7) for e in entries})
    start = time.perf_counter()
    table.sort(Column.PAINT, DOWN)
    table.set_filter("99", "painted")
    assert time.perf_counter() - start < 0.5


@pytest.fixture
def view(qtbot, table):
    view = ImageTableView(table)
    qtbot.addWidget(view)
    view.resize(334, 300)
    with qtbot.waitExposed(view):
        view.show()
    return view


def test_nothing_is_cut_off_sideways(view):
    columns = (Column.IMAGE, Column.PAINT, Column.SPLIT)
    assert sum(view.columnWidth(c) for c in columns) <= view.viewport().width()
    assert view.columnWidth(Column.IMAGE) > 160
    for column in columns[1:]:
        text = view.model().headerData(column, Qt.Orientation.Horizontal)
        assert view.columnWidth(column) > view.fontMetrics().horizontalAdvance(text)


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_enter_opens_an_image(qtbot, view, key):
    view.show_image("bee")
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.keyClick(view, key)
    assert opened.args == ["bee"]


def test_a_double_click_opens_an_image(qtbot, view):
    place = view.visualRect(view.model().index(2, Column.IMAGE)).center()
    button = Qt.MouseButton.LeftButton
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.mouseClick(view.viewport(), button, pos=place)
        qtbot.mouseDClick(view.viewport(), button, pos=place)
    assert opened.args == ["cat"]


def test_f2_edits_the_split(qtbot, view, table):
    view.show_image("bee")
    qtbot.keyClick(view, Qt.Key.Key_F2)
    editor = view.findChild(QComboBox, "split_editor")
    with qtbot.waitSignal(table.split_asked) as asked:
        editor.setCurrentText("test")
        editor.activated.emit(editor.currentIndex())
    assert asked.args == ["bee", "test"]


def test_the_selection_survives_another_order(view, table):
    view.show_image("bee")
    table.sort(Column.SPLIT, DOWN)
    assert view.selected_ids() == ["bee"]
    assert table.image_at(view.currentIndex().row()).id == "bee"


def test_tab_leaves_the_table(view):
    assert not view.tabKeyNavigation()


def test_the_menu_of_a_row_opens_it_or_gives_it_another_split(qtbot, view, table):
    menu = view.menu_of(table.index(1, Column.IMAGE))
    opening, use_for = menu.actions()
    with qtbot.waitSignal(view.opened) as opened:
        opening.trigger()
    assert opened.args == ["bee"]
    splits = {action.text(): action for action in use_for.menu().actions()}
    with qtbot.waitSignal(table.split_asked) as asked:
        splits["validate"].trigger()
    assert asked.args == ["bee", "validate"]


TAGGED = {
    "ant": ImageFacts(tags=Tags(scene=1, present={1: True, 2: False})),
    "bee": ImageFacts(tags=Tags(present={1: True})),
}
CHOICES = TagChoices(scenes=("day", "night"), classes=("cell", "debris"))


def test_the_scene_is_a_column_of_projects_that_have_scenes(view, table):
    assert view.isColumnHidden(Column.SCENE)
    table.set_choices(TagChoices(classes=("cell",)))
    assert view.isColumnHidden(Column.SCENE)
    table.set_choices(CHOICES)
    assert not view.isColumnHidden(Column.SCENE)
    table.set_choices(None)
    assert view.isColumnHidden(Column.SCENE)


def test_the_scene_and_the_classes_are_told(table):
    table.set_choices(CHOICES)
    table.set_facts(TAGGED)
    assert [cell(table, row, Column.SCENE) for row in range(3)] == ["night", "", ""]
    tip = cell(table, 0, Column.SCENE, Qt.ItemDataRole.ToolTipRole)
    assert tip.endswith("Scene: night. Occurs: cell. Does not occur: debris.")
    tip = cell(table, 1, Column.PAINT, Qt.ItemDataRole.ToolTipRole)
    assert tip.endswith("Occurs: cell.")


def test_a_scene_of_another_project_is_not_shown(table):
    table.set_choices(TagChoices(scenes=("day",)))
    table.set_facts(TAGGED)
    assert cell(table, 0, Column.SCENE) == ""


def test_the_scene_cuts_nothing_off(view, table):
    long_name = "an uncommonly long name of a scene"
    table.set_choices(TagChoices(scenes=("day", long_name)))
    shown = (Column.IMAGE, Column.PAINT, Column.SPLIT, Column.SCENE)
    assert sum(view.columnWidth(c) for c in shown) <= view.viewport().width()
    assert view.columnWidth(Column.IMAGE) > 90


def test_without_anything_to_say_the_menu_has_no_tags(view, table):
    menu = view.menu_of(table.index(0, Column.IMAGE))
    assert [action.text() for action in menu.actions()] == ["Open", "Use for"]


def test_the_menu_tags_all_selected_images(qtbot, view, table):
    table.set_choices(CHOICES)
    table.set_facts(TAGGED)
    view.selectAll()
    menu = view.menu_of(table.index(1, Column.IMAGE))
    scene = menu.actions()[2]
    assert scene.text() == "Scene of 3 images"
    with qtbot.waitSignal(table.tags_asked) as asked:
        scene.menu().actions()[1].trigger()
    assert asked.args == [["ant", "bee", "cat"], TagChange(scene=1)]


def test_the_menu_of_a_row_outside_the_selection_tags_that_row(qtbot, view, table):
    table.set_choices(CHOICES)
    view.show_image("ant")
    menu = view.menu_of(table.index(2, Column.IMAGE))
    scene = menu.actions()[2]
    assert scene.text() == "Scene"
    new = scene.menu().actions()[-1]
    with qtbot.waitSignal(table.new_scene_asked) as asked:
        new.trigger()
    assert asked.args == [["cat"]]
