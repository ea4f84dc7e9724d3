"""What a model says of the image on the canvas as a whole: its scene and classes."""

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_mtseg.gui.named_answer import NamedAnswer, named_answer, per_cent
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState

DOUBT = "⚠"
"""stands where class prediction and segmentation disagree"""
MARK_WIDTH = 14
"""pixels beside the names, where marks stand"""
MAX_LINES = 8
"""lines of classes; of more classes only those that matter have one"""
MAX_SCENES = 3
"""scenes that are named; the tooltip has all of them"""
_UNCERTAINTY_TIP = (
    "Which answers the uncertainty was computed from. Doubt is the uncertainty of the "
    "whole image for each pixel of an object: compare images of one run by it"
)


class ImageAnswerPanel(QWidget):
    """What a prediction says of its image as a whole.

    Scene and classes with their probabilities and doubts, where the method tells them,
    and where the uncertainty comes from.

    Parameters
    ----------
    state : WindowState
        Tells the project and the current image.
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("image_answer")
        self._state = state
        self._folder: Path | None = None
        self._reading = NewestAnswer(self)
        self._scene = self._sentence("predicted_scene")
        self._classes = QWidget(self)
        self._classes.setObjectName("predicted_classes")
        self._grid = QGridLayout(self._classes)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnMinimumWidth(0, MARK_WIDTH)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(2, 1)
        self._others = self._sentence("other_classes")
        self._doubts = self._sentence("answer_doubts")
        self._uncertainty = self._sentence("uncertainty_from")
        self._uncertainty.setToolTip(_UNCERTAINTY_TIP)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(4)
        column.addWidget(self._doubts)
        column.addWidget(self._scene)
        column.addWidget(self._classes)
        column.addWidget(self._others)
        column.addWidget(self._uncertainty)
        self._reading.answered.connect(self.show_answer)
        self._reading.refused.connect(lambda _: self.hide())
        state.annotation_saved.connect(self._read_tags)
        state.classes_changed.connect(self._read)
        self.hide()

    def show_prediction(self, folder: Path | None) -> None:
        """Show what a saved prediction says of the current image; None shows nothing.

        It is read in a thread.
        """
        self._folder = folder
        if folder is None:
            self._reading.drop()
            self.hide()
        else:
            self._read()

    def show_answer(self, answer: NamedAnswer) -> None:
        """Show an answer, or nothing where nothing is told."""
        self._show_scenes(answer)
        self._show_classes(answer)
        sentences = answer.sentences()
        self._doubts.say("\n".join(f"{DOUBT} {sentence}" for sentence in sentences))
        self._doubts.setAccessibleName("Look closely: " + " ".join(sentences))
        self._uncertainty.say(answer.uncertainty)
        self.setVisible(bool(answer.scenes or answer.classes or answer.uncertainty))

    def _sentence(self, name: str) -> SentenceLabel:
        label = SentenceLabel("", "plain", self)
        label.setObjectName(name)
        return label

    def _read_tags(self, image_id: str) -> None:
        if image_id == self._state.image_id:
            self._read()

    def _read(self) -> None:
        folder, project, entry = self._folder, self._state.project, self._state.entry
        if folder is not None and project is not None and entry is not None:
            self._reading.ask(lambda: named_answer(folder, project, entry))

    def _show_scenes(self, answer: NamedAnswer) -> None:
        scenes = [f"{name} {per_cent(p)}" for name, p in answer.scenes]
        best, rest = scenes[:1], scenes[1:MAX_SCENES]
        more = f" ({', '.join(rest)}{', …' * (len(scenes) > MAX_SCENES)})"
        text = f"Scene: {best[0]}" + (more if rest else "") if best else ""
        self._scene.say(text)
        self._scene.setToolTip(
            "What kind of image the model takes this for:\n" + "\n".join(scenes)
        )

    def _show_classes(self, answer: NamedAnswer) -> None:
        while self._grid.count():
            item = self._grid.takeAt(0)
            label = None if item is None else item.widget()
            if label is not None:
                label.setParent(None)
                label.deleteLater()
        listed = _listed(answer)
        for row, (name, chance) in enumerate(listed):
            mark = DOUBT if name in answer.disagreeing else ""
            shows = "some" if name in answer.shown else "none"
            tip = (
                f"{name} occurs in this image with a probability of "
                f"{per_cent(chance)}; the segmentation shows {shows}"
            )
            cells = (mark, _short(name), f"occurs {per_cent(chance)}")
            for column, text in enumerate(cells):
                label = QLabel(text, self._classes)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setToolTip(tip)
                self._grid.addWidget(label, row, column)
        self._classes.setVisible(bool(listed))
        self._others.say(_rest(answer, len(listed)))
        others = [each for each in answer.classes if each not in listed]
        self._others.setToolTip("\n".join(f"{n}: {per_cent(p)}" for n, p in others))


def _listed(answer: NamedAnswer) -> list[tuple[str, float]]:
    """Return the classes that get a line: all, or those that may occur."""
    if len(answer.classes) <= MAX_LINES:
        return list(answer.classes)
    matter = {*answer.shown, *answer.disagreeing}
    return [each for each in answer.classes if each[0] in matter or each[1] > 0.5]


def _rest(answer: NamedAnswer, n_listed: int) -> str:
    n = len(answer.classes) - n_listed
    return f"{n} other class{'es' * (n > 1)}: probably not in this image" if n else ""


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"
