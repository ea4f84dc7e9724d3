"""The top of the dock: project, state of saving, current image."""

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_mtseg.gui.icons import icon
from napari_mtseg.gui.shortcuts import key_of
from napari_mtseg.gui.state import SAVED, SAVING, WindowState
from napari_mtseg.storage.stored_array import size_text


class Header(QWidget):
    """Two lines: ``nuclei.mtseg  ● saved`` and ``◀ 3 / 41 tile_017.tif ▶``."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._project = _ElidedLabel("header_project", self)
        self._saving = QLabel(self)
        self._saving.setObjectName("header_saving")
        self._image = _ElidedLabel("header_image", self)
        self._image.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._previous = self._step_button("previous", -1)
        self._next = self._step_button("next", 1)
        font = self._project.font()
        font.setBold(True)
        self._project.setFont(font)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(self._project, 0, 0, 1, 2)
        grid.addWidget(self._saving, 0, 2, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self._previous, 1, 0)
        grid.addWidget(self._image, 1, 1)
        grid.addWidget(self._next, 1, 2, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(1, 1)
        for signal in (
            state.events.project,
            state.events.image_id,
            state.images_changed,
        ):
            signal.connect(self._show)
        state.events.saving.connect(self._show_saving)
        self._show()
        self._show_saving(state.saving)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the arrows anew where the theme has changed."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._colour_icons()

    def _step_button(self, name: str, step: int) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"{name}_image")
        button.setAutoRaise(True)
        button.setIconSize(QSize(16, 16))
        button.setToolTip(f"{name.capitalize()} image ({key_of(f'{name}_image')})")
        button.setAccessibleName(f"{name.capitalize()} image")
        button.clicked.connect(lambda: self._state.step_image(step))
        return button

    def _colour_icons(self) -> None:
        for name, button in (("previous", self._previous), ("next", self._next)):
            button.setIcon(icon(name, button.palette().buttonText().color()))

    def _show(self) -> None:
        self._colour_icons()
        project, entry = self._state.project, self._state.entry
        if project is None:
            return
        self._project.say(project.path.name, str(project.path))
        ids = [e.id for e in project.images]
        if entry is None or not ids:
            self._image.say("no image", "The project has no image yet")
            place = -1
        else:
            place = ids.index(entry.id)
            text = f"{place + 1} / {len(ids)}   {entry.name}"
            self._image.say(
                text, f"{entry.name}: {size_text(entry.spatial_shape)} pixels"
            )
        self._previous.setEnabled(place > 0)
        self._next.setEnabled(0 <= place < len(ids) - 1)

    def _show_saving(self, saving: str) -> None:
        signs = {SAVED: "● saved", SAVING: "○ saving…"}
        self._saving.setText(signs.get(saving, "✖ not saved"))
        tips = {SAVED: "Everything painted is on disk", SAVING: "Being written"}
        self._saving.setToolTip(tips.get(saving, saving))


class _ElidedLabel(QLabel):
    """A line that ends in … where it does not fit, with the whole in its tooltip."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def say(self, text: str, tip: str) -> None:
        """Show a text; ``tip`` says more."""
        self._whole = text
        self.setToolTip(tip)
        self._elide()

    def resizeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Shorten anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        middle = Qt.TextElideMode.ElideMiddle
        room = max(self.width(), 10)
        self.setText(self.fontMetrics().elidedText(self._whole, middle, room))
