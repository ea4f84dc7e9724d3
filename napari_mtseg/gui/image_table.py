"""The images of a project as a table that stays quick with thousands of rows."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Literal, get_args

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QFont, QIcon

from napari_mtseg.domain.project import ImageEntry, Split
from napari_mtseg.gui.image_facts import (
    ImageFacts,
    TagChoices,
    done_in_words,
    paint_marks,
    scene_of,
    size_in_words,
)
from napari_mtseg.gui.table_looks import heading
from napari_mtseg.gui.thumbnails import Thumbnails

Show = Literal["all", "unpainted", "painted", "predicted", "unpredicted", "missing"]

SPLITS: tuple[Split, ...] = get_args(Split)
UNKNOWN = ImageFacts()


class Column(IntEnum):
    """Columns; those from SIZE on are only sorted by, other cells tell them."""

    IMAGE = 0
    PAINT = 1
    SPLIT = 2
    SCENE = 3
    SIZE = 4
    PREDICTED = 5
    REVIEWED = 6


_HEADERS = {
    Column.IMAGE: ("Image", "Name and size in pixels. Enter opens the image."),
    Column.PAINT: (
        "Done",
        "P partial masks, S scribbles, F full masks, C a region that is complete; "
        "below, whether the image is predicted or reviewed.",
    ),
    Column.SPLIT: ("Split", "What the image is used for; click or press F2 to change."),
    Column.SCENE: ("Scene", "Kind of image; right-click on images to change it."),
    Column.SIZE: ("Size", "Height and width, and planes."),
    Column.PREDICTED: ("Predicted", "Number of runs that predicted the image."),
    Column.REVIEWED: ("Reviewed", "Whether a person judged a prediction."),
}
_SPLIT_WORDS: dict[Split, str] = {
    "train": "Trains the model, if something is painted on it.",
    "validate": "Not trained on: chooses the best state of a training.",
    "test": "Not looked at by any training: scores the result.",
}
_SHOWN: dict[Show, Callable[[ImageFacts], bool]] = {
    "all": lambda facts: True,
    "unpainted": lambda facts: not facts.is_painted,
    "painted": lambda facts: facts.is_painted,
    "predicted": lambda facts: facts.n_predictions > 0,
    "unpredicted": lambda facts: facts.n_predictions == 0,
    "missing": lambda facts: facts.is_missing,
}


class ImageTable(QAbstractTableModel):
    """Rows are the images that pass the filter, in the order of one column.

    Parameters
    ----------
    thumbnails : Thumbnails
        Makes the pictures of the rows that are seen.
    parent : QObject, optional
        Qt parent.
    """

    split_asked = Signal(str, str)
    """image id, split that the user chose for it"""
    tags_asked = Signal(object, object)
    """list of image ids, TagChange that the user chose for them"""
    new_scene_asked = Signal(object)
    """list of image ids that are to be of a scene that the project lacks"""
    choices_changed = Signal()
    """other scenes or classes can be said of the images"""

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._entries: dict[str, ImageEntry] = {}
        self._facts: dict[str, ImageFacts] = {}
        self._ids: list[str] = []
        self._row_of: dict[str, int] = {}
        self._current: str | None = None
        self._choices: TagChoices | None = None
        self._text = ""
        self._show: Show = "all"
        self._column, self._descending = Column.IMAGE, False
        thumbnails.made.connect(self._picture_made)

    def show_images(self, entries: Sequence[ImageEntry]) -> None:
        """Show these images in place of the present ones."""
        self.beginResetModel()
        self._entries = {entry.id: entry for entry in entries}
        self._facts = {k: v for k, v in self._facts.items() if k in self._entries}
        self._put_in_order()
        self.endResetModel()

    def set_facts(self, facts: Mapping[str, ImageFacts]) -> None:
        """Show what is known of some images now."""
        changed = {k: v for k, v in facts.items() if self._facts.get(k) != v}
        self._facts.update(changed)
        if not changed:
            return
        if self._order() != self._ids:
            self._arrange()
        elif self._ids:
            # One signal for all: thousands of them would be felt.
            last = self.index(len(self._ids) - 1, Column.SCENE)
            self.dataChanged.emit(self.index(0, 0), last)

    @property
    def choices(self) -> TagChoices | None:
        """What can be said of the images; None where nothing can."""
        return self._choices

    def set_choices(self, choices: TagChoices | None) -> None:
        """Offer other scenes and classes."""
        if choices != self._choices:
            self._choices = choices
            self._arrange()
            self.choices_changed.emit()

    def forget_facts(self) -> None:
        """Another project: nothing is known of its images yet."""
        self._facts.clear()

    def set_current(self, image_id: str | None) -> None:
        """Mark the image that is on the canvas."""
        before, self._current = self._current, image_id
        for changed in (before, image_id):
            if changed is not None:
                self._changed(changed)

    def set_filter(self, text: str, show: Show) -> None:
        """Show the images whose name has ``text`` in it and which are in a state."""
        self._text, self._show = text.casefold(), show
        self._arrange()

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Order the rows by a column; images that are alike there by name."""
        self._column = Column(column)
        self._descending = order == Qt.SortOrder.DescendingOrder
        self._arrange()

    def facts(self, image_id: str) -> ImageFacts:
        """Return what is known of an image."""
        return self._facts.get(image_id, UNKNOWN)

    def known_ids(self) -> set[str]:
        """Return the images whose facts are known."""
        return set(self._facts)

    def image_at(self, row: int) -> ImageEntry:
        """Return the image of a row."""
        return self._entries[self._ids[row]]

    def row_of(self, image_id: str | None) -> int | None:
        """Return the row of an image, or None where the filter hides it."""
        return None if image_id is None else self._row_of.get(image_id)

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return the number of images that pass the filter."""
        return 0 if parent is not None and parent.isValid() else len(self._ids)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return the number of columns, the hidden one included."""
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(  # noqa: N802
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a column's title and what it means."""
        return heading(_HEADERS, section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        entry, column = self.image_at(index.row()), Column(index.column())
        facts = self.facts(entry.id)
        choices, is_current = self._choices or TagChoices(), entry.id == self._current
        if role == Qt.ItemDataRole.DisplayRole:
            if column == Column.SCENE:
                return scene_of(facts, choices)
            return _cell(entry, facts, column, is_current=is_current)
        if role == Qt.ItemDataRole.ToolTipRole:
            if column in (Column.PAINT, Column.SCENE):
                return done_in_words(facts, choices)
            return _meaning(entry, facts, column, is_current=is_current)
        if role == Qt.ItemDataRole.DecorationRole and column == Column.IMAGE:
            picture = self._thumbnails.pixmap(entry)
            # An icon is drawn at the size that the view wants.
            return None if picture is None else QIcon(picture)
        if role == Qt.ItemDataRole.EditRole and column == Column.SPLIT:
            return entry.split
        if role == Qt.ItemDataRole.FontRole and is_current:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def setData(  # noqa: N802
        self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Ask for another split; it shows once it is saved."""
        if role != Qt.ItemDataRole.EditRole or index.column() != Column.SPLIT:
            return False
        if value != self.image_at(index.row()).split:
            self.split_asked.emit(self._ids[index.row()], value)
        return True

    def flags(self, index: QModelIndex) -> Any:
        """Let the split be edited."""
        flags = super().flags(index)
        is_split = index.column() == Column.SPLIT
        return flags | Qt.ItemFlag.ItemIsEditable if is_split else flags

    def _order(self) -> list[str]:
        shown = _SHOWN[self._show]
        entries = [
            entry
            for entry in sorted(self._entries.values(), key=lambda e: (e.name, e.id))
            if self._text in entry.name.casefold() and shown(self.facts(entry.id))
        ]
        if self._column != Column.IMAGE or self._descending:
            entries.sort(
                key=lambda e: _rank(e, self.facts(e.id), self._column),
                reverse=self._descending,
            )
        return [entry.id for entry in entries]

    def _arrange(self) -> None:
        self.beginResetModel()
        self._put_in_order()
        self.endResetModel()

    def _put_in_order(self) -> None:
        self._ids = self._order()
        self._row_of = {key: row for row, key in enumerate(self._ids)}

    def _changed(self, image_id: str) -> None:
        row = self._row_of.get(image_id)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, Column.SCENE))

    def _picture_made(self, image_id: str) -> None:
        row = self._row_of.get(image_id)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, 0))


def _cell(
    entry: ImageEntry, facts: ImageFacts, column: Column, *, is_current: bool
) -> str:
    if column == Column.IMAGE:
        below = "✖ file is missing" if facts.is_missing else size_in_words(entry)
        return f"{'▶ ' * is_current}{entry.name}\n{below}"
    if column == Column.SPLIT:
        return entry.split
    paint = "✖ damaged" if facts.problem else paint_marks(facts)
    result = "predicted" if facts.n_predictions else ""
    result = "reviewed" if facts.is_reviewed else result
    return "\n".join(line for line in (paint, result) if line)


def _meaning(
    entry: ImageEntry, facts: ImageFacts, column: Column, *, is_current: bool
) -> str:
    if column == Column.SPLIT:
        return (
            f"{_SPLIT_WORDS[entry.split]} Click or press F2 to change it: selected "
            "images change together, and so does a whole group."
        )
    lines = [entry.name, size_in_words(entry) + " pixels", entry.source]
    lines += ["On the canvas now."] * is_current
    lines += ["The file is gone: use 'Find moved images…'."] * facts.is_missing
    return "\n".join(lines)


def _rank(entry: ImageEntry, facts: ImageFacts, column: Column) -> Any:
    return {
        Column.IMAGE: entry.name,
        Column.SIZE: tuple(sorted(entry.spatial_shape, reverse=True)),
        Column.PAINT: (facts.n_full, facts.n_partial, facts.has_scribbles),
        Column.PREDICTED: facts.n_predictions,
        Column.REVIEWED: facts.is_reviewed,
        Column.SPLIT: SPLITS.index(entry.split),
        # Images without a scene come last.
        Column.SCENE: (facts.tags.scene is None, facts.tags.scene or 0),
    }[column]
