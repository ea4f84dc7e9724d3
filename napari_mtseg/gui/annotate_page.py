"""The Annotate page: what strokes are, and what is said about the image."""

from dataclasses import replace

from napari.components import ViewerModel
from qtpy.QtWidgets import (
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.annotation import empty_annotation
from napari_mtseg.gui.class_palette import ClassPalette
from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.complete_region import CompleteRegionChoice
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.image_tags import ImageTags
from napari_mtseg.gui.import_masks import MaskImport
from napari_mtseg.gui.import_masks_dialog import ImportMasksDialog
from napari_mtseg.gui.named_widgets import horizontal_rule
from napari_mtseg.gui.paint_report import (
    PaintReport,
    is_unpainted,
    tags_without_paint,
)
from napari_mtseg.gui.sentence_label import Kind, SentenceLabel
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.gui.state import DrawAs, WindowState
from napari_mtseg.gui.tab_order import set_reading_order
from napari_mtseg.gui.trainer import Trainer

_DRAW_AS: dict[DrawAs, tuple[str, str, str, str]] = {
    "partial": (
        "Partial mask",
        "P",
        "partial_masks",
        "Rough inner parts of objects; leave their edges out. A stroke that starts on "
        "an object extends it, else it begins a new one.",
    ),
    "scribble": (
        "Scribble",
        "C",
        "scribbles",
        "Strokes that say what something is: a class, background, or the separator "
        "between objects that touch.",
    ),
    "full": (
        "Full mask",
        "F",
        "full_masks",
        "Exact objects up to their edges. They count inside the complete region only.",
    ),
}
"""text, key in the dock, name of the key everywhere, explanation"""


class AnnotatePage(QWidget):
    """Controls for drawing labels on the current image.

    Parameters
    ----------
    viewer : napari viewer
        Its canvas is drawn on.
    state : WindowState
        Says which image is shown and what strokes are.
    editing : Editing
        Holds the annotation of the current image.
    trainer : Trainer
        Knows what all the paint allows.
    commands : Commands
        Reads masks from files.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        state: WindowState,
        editing: Editing,
        trainer: Trainer,
        commands: Commands,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("annotate_page")
        self._state, self._editing = state, editing
        self._import = MaskImport(state, editing, commands, self)
        self._import.ended.connect(self._show_import)
        self._first_step = SentenceLabel(parent=self)
        self._first_step.setObjectName("first_step")
        self._body = QWidget(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 4, 2, 4)
        column.addWidget(self._first_step)
        column.addWidget(self._body)
        column.addStretch()
        parts = QVBoxLayout(self._body)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.setSpacing(4)
        parts.addWidget(_heading("Draw as"))
        self._add_draw_as(parts)
        for title, part in (
            ("Class", ClassPalette(state, editing)),
            ("Complete region", CompleteRegionChoice(viewer, state, editing)),
            ("Tags of this image", ImageTags(state, editing)),
            ("", PaintReport(state, editing, trainer)),
        ):
            parts.addWidget(_heading(title) if title else horizontal_rule())
            parts.addWidget(part)
        self._add_actions(parts)
        state.events.draw_as.connect(self._show_draw_as)
        state.events.image_id.connect(self._show_first_step)
        editing.changed.connect(self._show_first_step)
        state.events.project.connect(self._order_tabs)
        state.classes_changed.connect(self._order_tabs)
        self._order_tabs()
        self._show_draw_as()
        self._show_first_step()

    def _add_draw_as(self, column: QVBoxLayout) -> None:
        self._draw_as: dict[DrawAs, QRadioButton] = {}
        group, row = QButtonGroup(self), QHBoxLayout()
        for kind, (text, letter, action, explanation) in _DRAW_AS.items():
            radio = QRadioButton(text)
            radio.setObjectName(f"draw_as_{kind}")
            radio.setToolTip(
                f"{explanation} Key: {letter} here, {key_of(action)} anywhere."
            )
            radio.clicked.connect(lambda _=False, kind=kind: self._choose(kind))
            group.addButton(radio)
            row.addWidget(radio)
            self._draw_as[kind] = radio
        row.addStretch()
        self._explanation = SentenceLabel(parent=self)
        self._explanation.setObjectName("draw_as_explanation")
        column.addLayout(row)
        column.addWidget(self._explanation)

    def _add_actions(self, column: QVBoxLayout) -> None:
        self._import_button = QPushButton("Import masks…")
        self._import_button.setObjectName("import_masks")
        self._import_button.setToolTip(
            "Read masks that exist as files into this project's images."
        )
        self._import_button.clicked.connect(lambda: self._ask_for_masks())
        self._delete = QPushButton("Delete all paint…")
        self._delete.setObjectName("delete_all_paint")
        self._delete.clicked.connect(lambda: self._delete_all())
        row = QHBoxLayout()
        for button in (self._import_button, self._delete):
            button.setAutoDefault(False)
            row.addWidget(button)
        self._answer = SentenceLabel(parent=self)
        self._answer.setObjectName("import_answer")
        column.addLayout(row)
        column.addWidget(self._answer)

    def _order_tabs(self) -> None:
        """Put the controls of a new class where they stand."""
        set_reading_order(self)

    def _choose(self, kind: DrawAs) -> None:
        self._state.draw_as = kind
        # Also where that is no change: another layer may have the mouse.
        self._editing.take_brush()
        self._show_draw_as()

    def _show_draw_as(self) -> None:
        self._draw_as[self._state.draw_as].setChecked(True)
        self._explanation.say(_DRAW_AS[self._state.draw_as][3])

    def _show_first_step(self) -> None:
        """Say what to do first, where nothing was done yet."""
        has_image = self._state.image_id is not None
        self._body.setVisible(has_image)
        is_bare = is_unpainted(self._editing.counts)
        if not has_image:
            self._first_step.say("Open an image first: Project page, double-click.")
        elif self._editing.hint:
            self._first_step.say(self._editing.hint, "note")
        elif is_bare and self._editing.annotation is None:
            # The image is being read.
            self._first_step.say("")
        elif is_bare and self._editing.complete.is_empty:
            self._first_step.say(
                "Paint inside a few objects with the brush. Press "
                f"{key_of('partial_masks')} for partial masks.",
                "note",
            )
        else:
            self._first_step.say("")
        self._delete.setEnabled(not (is_bare or self._editing.is_in_parts))
        if self._editing.is_in_parts:
            self._delete.setToolTip(
                "This image is painted on in parts: erase with the eraser."
            )
        elif is_bare:
            self._delete.setToolTip("Nothing is painted on this image.")
        else:
            self._delete.setToolTip(
                "Delete all that is painted on this image, after a question."
            )

    def _delete_all(self) -> None:
        entry = self._state.entry
        if entry is None:
            return
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            "Delete all paint",
            f"Delete all partial masks, scribbles and full masks of '{entry.name}', "
            "and its complete region? This cannot be undone.",
            buttons.Yes | buttons.Cancel,
            buttons.Cancel,
        )
        is_shown = self._editing.annotation is not None
        if answer == buttons.Yes and self._state.image_id == entry.id and is_shown:
            empty = empty_annotation(entry.spatial_shape)
            tags = tags_without_paint(self._editing.tags)
            self._editing.replace_annotation(replace(empty, tags=tags))

    def _ask_for_masks(self) -> None:
        project = self._state.project
        if project is None or self._import.is_running:
            return
        dialog = ImportMasksDialog(project.path.parent, self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._answer.say("Importing masks…")
            self._import.start(dialog.request)
        dialog.deleteLater()

    def _show_import(self, sentence: str, kind: Kind) -> None:
        self._answer.say(sentence, kind)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
