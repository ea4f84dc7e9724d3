"""The table of images on the screen: how it looks, and what keys and clicks ask."""

from typing import Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QMenu,
    QStyledItemDelegate,
    QTableView,
    QWidget,
)

from napari_mtseg.gui.image_table import SPLITS, Column, ImageTable
from napari_mtseg.gui.table_looks import (
    MARGIN,
    set_column_widths,
    set_table_looks,
)
from napari_mtseg.gui.tag_menu import add_tag_menus

_MIN_HEIGHT = 180
_WIDEST = {Column.PAINT: "✖ damaged", Column.SPLIT: "validate"}
_WIDEST_SCENE = 70
"""pixels; longer names of scenes are elided"""
_WIDEST_BESIDE_SCENE = "predicted"
"""widest text of what is done that is shown in full where there are scenes"""
_HIDDEN = (Column.SCENE, Column.SIZE, Column.PREDICTED, Column.REVIEWED)


class ImageTableView(QTableView):
    """Shows an :class:`ImageTable`; the selection is kept when rows are reordered."""

    opened = Signal(str)
    """id of the image that was double-clicked, or where Enter was pressed"""

    def __init__(self, model: ImageTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images = model
        self._kept: tuple[list[str], str | None] = ([], None)
        self.setModel(model)
        self._set_looks()
        self._set_columns()
        self.setItemDelegateForColumn(Column.SPLIT, SplitDelegate(self))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.clicked.connect(self._edit_split)
        self.doubleClicked.connect(self._open_unless_split)
        model.modelAboutToBeReset.connect(self._keep_selection)
        model.modelReset.connect(self._restore_selection)
        model.choices_changed.connect(self._show_scenes)

    def selected_ids(self) -> list[str]:
        """Return the ids of the selected images, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self._images.image_at(row).id for row in rows]

    def show_image(self, image_id: str | None) -> None:
        """Select the row of an image and scroll to it, if the filter shows it."""
        row = self._images.row_of(image_id)
        if row is not None:
            self.selectRow(row)
            self.scrollTo(self._images.index(row, 0))

    def menu_of(self, index: QModelIndex) -> QMenu:
        """Return what can be done with the image of a row, and the selected ones."""
        image_id = self._images.image_at(index.row()).id
        menu = QMenu(self)
        menu.addAction("Open").triggered.connect(lambda: self.opened.emit(image_id))
        use_for = menu.addMenu("Use for")
        for split in SPLITS:
            use_for.addAction(split).triggered.connect(
                lambda _=False, split=split: self._images.split_asked.emit(
                    image_id, split
                )
            )
        self._add_tags(menu, image_id)
        return menu

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Open by Enter, edit the split by F2."""
        here = self.currentIndex()
        if event is None or not here.isValid():
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(here)
        elif event.key() == Qt.Key.Key_F2:
            self.edit(here.siblingAtColumn(Column.SPLIT))
        else:
            super().keyPressEvent(event)

    def _set_looks(self) -> None:
        self.setObjectName("image_table")
        self.setAccessibleName("Images of the project")
        set_table_looks(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setMinimumHeight(_MIN_HEIGHT)

    def _set_columns(self) -> None:
        set_column_widths(self, _WIDEST, stretched=Column.IMAGE)
        for column in _HIDDEN:
            self.setColumnHidden(column, True)
        columns = self.horizontalHeader()
        columns.setSortIndicator(Column.IMAGE, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)

    def _add_tags(self, menu: QMenu, image_id: str) -> None:
        images, selected = self._images, self.selected_ids()
        ids = selected if image_id in selected else [image_id]
        if images.choices is not None:
            add_tag_menus(
                menu,
                images.choices,
                [images.facts(key).tags for key in ids],
                ask=lambda change: images.tags_asked.emit(ids, change),
                ask_new_scene=lambda: images.new_scene_asked.emit(ids),
            )

    def _show_scenes(self) -> None:
        choices = self._images.choices
        scenes = () if choices is None else choices.scenes
        self.setColumnHidden(Column.SCENE, not scenes)
        width = self.fontMetrics().horizontalAdvance
        widest = max(map(width, ("Scene", *scenes))) + MARGIN
        self.setColumnWidth(Column.SCENE, min(widest, _WIDEST_SCENE))
        done = _WIDEST_BESIDE_SCENE if scenes else _WIDEST[Column.PAINT]
        self.setColumnWidth(Column.PAINT, width(done) + MARGIN)

    def _open(self, index: QModelIndex) -> None:
        self.opened.emit(self._images.image_at(index.row()).id)

    def _open_unless_split(self, index: QModelIndex) -> None:
        if index.column() != Column.SPLIT:
            self._open(index)

    def _edit_split(self, index: QModelIndex) -> None:
        if index.column() == Column.SPLIT:
            self.edit(index)

    def _show_menu(self, place: QPoint) -> None:
        index = self.indexAt(place)
        if index.isValid():
            self.menu_of(index).exec(self.viewport().mapToGlobal(place))

    def _keep_selection(self) -> None:
        here = self.currentIndex()
        current = self._images.image_at(here.row()).id if here.isValid() else None
        self._kept = (self.selected_ids(), current)

    def _restore_selection(self) -> None:
        selected, current = self._kept
        rows = QItemSelectionModel.SelectionFlag.Rows
        row = self._images.row_of(current)
        if row is not None:
            self.selectionModel().setCurrentIndex(
                self._images.index(row, 0), QItemSelectionModel.SelectionFlag.NoUpdate
            )
        for image_id in selected:
            row = self._images.row_of(image_id)
            if row is not None:
                self.selectionModel().select(
                    self._images.index(row, 0),
                    QItemSelectionModel.SelectionFlag.Select | rows,
                )


class SplitDelegate(QStyledItemDelegate):
    """Edits the split of an image by a list that opens at once."""

    def createEditor(  # noqa: N802 - Qt's name
        self, parent: QWidget | None, option: Any, index: QModelIndex
    ) -> QWidget:
        """Return the list of splits."""
        editor = QComboBox(parent)
        editor.setObjectName("split_editor")
        editor.addItems(SPLITS)
        editor.activated.connect(lambda _: self._finish(editor))
        return editor

    def setEditorData(  # noqa: N802 - Qt's name
        self, editor: QWidget | None, index: QModelIndex
    ) -> None:
        """Show the present split."""
        if isinstance(editor, QComboBox):
            split = index.data(Qt.ItemDataRole.EditRole)
            editor.setCurrentIndex(SPLITS.index(split))
            editor.showPopup()

    def setModelData(  # noqa: N802 - Qt's name
        self, editor: QWidget | None, model: Any, index: QModelIndex
    ) -> None:
        """Ask for the chosen split."""
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText(), Qt.ItemDataRole.EditRole)

    def _finish(self, editor: QComboBox) -> None:
        self.commitData.emit(editor)
        self.closeEditor.emit(editor)
