"""A slider through the iterations of growth, from what was painted to now."""

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

from napari_mtseg.gui.grown_labels import GrownLabels, GrownReader
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.run_folder import RunFolder

_NO_GROWTH = "Nothing grows on this image: it has no marks to start from."
_IN_PARTS = (
    "The labels of this large image grow around its paint, and are not shown here. "
    "Predict it after the training."
)


class GrowthSlider(QWidget):
    """Shows the labels of the current image as they were after any iteration.

    It follows the newest iteration, unless the user has moved it to an earlier one.
    Hidden while nothing has grown.

    Parameters
    ----------
    state : WindowState
        Its current image is shown.
    overlays : Overlays
        Draws the labels.
    """

    def __init__(
        self, state: WindowState, overlays: Overlays, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._overlays = state, overlays
        self._reader: GrownReader | None = None
        self._run_id: str | None = None
        self._answers = NewestAnswer(self)
        self._answers.answered.connect(self._show)
        self._answers.refused.connect(lambda text: self._note.say(text, "problem"))
        self._build()
        self.forget()
        state.events.image_id.connect(self._change_image)
        state.annotation_saved.connect(self._paint_again)

    @property
    def iteration(self) -> int:
        """Iteration that is shown; 0 is what the run began with."""
        return int(self.slider.value())

    @property
    def newest(self) -> int:
        """Number of iterations so far."""
        return int(self.slider.maximum())

    def watch(self, run: RunFolder) -> None:
        """Show the growth of a run as its iterations are told by :meth:`grown`."""
        self.forget()
        if self._state.project is None:
            return
        self._reader = GrownReader(self._state.project, run)
        self._run_id = run.path.name

    def forget(self) -> None:
        """Show no growth."""
        self._answers.drop()
        self._reader, self._run_id = None, None
        self.slider.blockSignals(True)
        self.slider.setRange(0, 0)
        self.slider.blockSignals(False)
        self._dice.setText("")
        self._note.say("")
        self.setVisible(False)
        self._overlays.put_away_grown()

    def grown(self, iteration: int) -> None:
        """Take note that the labels have grown for the ``iteration``-th time."""
        if self._reader is None or iteration <= self.newest:
            return
        follows = self.iteration == self.newest
        self.slider.blockSignals(True)
        self.slider.setMaximum(iteration)
        if follows:
            self.slider.setValue(iteration)
        self.slider.blockSignals(False)
        self.setVisible(True)
        self._say_place()
        if follows:
            self._ask()

    def _build(self) -> None:
        self.setObjectName("growth")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("growth_slider")
        self.slider.setPageStep(1)
        self.slider.setTickInterval(1)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setAccessibleName("Growth")
        self.slider.setToolTip(
            "Shows the labels of this image after each growth: 0 is what the run began "
            "with, right is now. It follows the newest while it stands there. "
            "Arrow keys move it."
        )
        self._place, self._dice = QLabel(), QLabel()
        self._place.setObjectName("growth_place")
        self._dice.setObjectName("growth_dice")
        self._note = SentenceLabel(parent=self)
        self._note.setObjectName("growth_note")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._place, 0, 0)
        layout.addWidget(self._dice, 0, 1, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.slider, 1, 0, 1, 2)
        layout.addWidget(self._note, 2, 0, 1, 2)
        self.slider.valueChanged.connect(self._moved)

    def _moved(self) -> None:
        self._say_place()
        self._ask()

    def _say_place(self) -> None:
        now = " (now)" if self.iteration == self.newest else ""
        self._place.setText(f"Growth {self.iteration} of {self.newest}{now}")

    def _change_image(self) -> None:
        self._answers.drop()
        self._dice.setText("")
        self._note.say("")
        if self.newest:
            self._ask()

    def _paint_again(self, image_id: str) -> None:
        if self._reader is not None:
            self._reader.forget_paint(image_id)

    def _ask(self) -> None:
        image_id = self._state.image_id
        if self._reader is not None and image_id is not None:
            self._answers.ask(partial(self._reader.read, image_id, self.iteration))

    def _show(self, found: GrownLabels) -> None:
        if (found.run_id, found.image_id) != (self._run_id, self._state.image_id):
            return
        if found.masks is None:
            self._dice.setText("")
            self._note.say(_IN_PARTS if found.is_in_parts else _NO_GROWTH)
            return
        self._note.say("")
        self._overlays.show_grown(found.masks.objects, found.masks.class_of)
        mean = found.mean_dice
        self._dice.setText("" if mean is None else f"Dice {mean:.2f}")
        each = "\n".join(f"{name}: {value:.3f}" for name, value in found.dice.items())
        self._dice.setToolTip(
            "Agreement of these labels with your full masks, where a region is "
            f"complete; 1 is perfect.\n{each}"
        )
