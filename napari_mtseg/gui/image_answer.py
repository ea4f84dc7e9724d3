"""What a model says of the image on the canvas as a whole: its scene and classes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.annotation_files import FACTS
from napari_mtseg.storage.prediction_files import ImageAnswer, load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.write import read_json

DOUBT = "⚠"
"""stands where class prediction and segmentation disagree"""
MARK_WIDTH = 14
"""pixels beside the names, where marks stand"""
NO_BREAK = "\u00a0"
"""a space that keeps a number and its unit on one line"""
MAX_LINES = 8
"""lines of classes; of more classes only those that matter have one"""
MAX_SCENES = 3
"""scenes that are named; the tooltip has all of them"""


@dataclass(frozen=True, kw_only=True)
class NamedAnswer:
    """What a model says of an image as a whole, by the names of the project."""

    scenes: tuple[tuple[str, float], ...] = ()
    """scene and its probability, the most probable one first"""
    tagged_scene: str | None = None
    """scene that a person gave the image; None if none was given"""
    classes: tuple[tuple[str, float], ...] = ()
    """class and the probability that it occurs, in the order of the project"""
    shown: frozenset[str] = frozenset()
    """classes that the segmentation shows"""
    disagreeing: tuple[str, ...] = ()
    """classes about which class prediction and segmentation disagree"""

    def sentences(self) -> tuple[str, ...]:
        """Return what a person should look at, a sentence each."""
        chances = dict(self.classes)
        found = [
            _disagreement(name, name in self.shown, chances[name])
            for name in self.disagreeing
        ]
        best = self.scenes[0][0] if self.scenes else None
        if best is not None and self.tagged_scene not in {None, best}:
            found.append(
                f"This image is tagged as {self.tagged_scene}, but the model takes it "
                f"for {best} ({per_cent(self.scenes[0][1])})."
            )
        return tuple(found)


class ImageAnswerPanel(QWidget):
    """Scene and classes of the current image with their probabilities, and doubts.

    Hidden where the method tells neither classes nor scenes.

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
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(4)
        for widget in (self._doubts, self._scene, self._classes, self._others):
            column.addWidget(widget)
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
        self.setVisible(bool(answer.scenes or answer.classes))

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


def named_answer(folder: Path, project: Project, entry: ImageEntry) -> NamedAnswer:
    """Return what a saved prediction says of an image, by the names of today.

    Parameters
    ----------
    folder : Path
        Of the prediction.
    project : Project
        Tells how classes and scenes are called now.
    entry : ImageEntry
        The image, which a person may have tagged with a scene.

    Raises
    ------
    ProjectError
        If there is no prediction, or it is damaged.
    """
    answer = load_answer(folder)
    scenes = project.info.scenes
    class_of = class_names(answer, [each.name for each in project.info.classes])
    scene_of = names_now(answer.scene_names, scenes, n=len(answer.scenes), one="scene")
    tag = _scene_tag(project, entry)
    return NamedAnswer(
        scenes=tuple(
            sorted(zip(scene_of, answer.scenes, strict=True), key=lambda it: -it[1])
        ),
        tagged_scene=scenes[tag] if tag is not None and tag < len(scenes) else None,
        classes=tuple((class_of[c], p) for c, p in sorted(answer.present.items())),
        shown=frozenset(class_of[c] for c in answer.shown),
        disagreeing=tuple(
            class_of[c] for c in answer.disagreeing if c in answer.present
        ),
    )


def class_names(answer: ImageAnswer, now: Sequence[str]) -> Mapping[int, str]:
    """Return class -> name for an answer, where ``now`` names the project's classes."""
    highest = max((0, *answer.present, *answer.shown, *answer.disagreeing))
    names = names_now(answer.class_names, now, n=highest, one="class")
    return dict(enumerate(names, start=1))


def names_now(
    then: Sequence[str], now: Sequence[str], *, n: int, one: str
) -> tuple[str, ...]:
    """Return what a run's classes or scenes are called now.

    A name that the project still has stays, wherever it stands now. One that is gone
    was changed if a new one has its place; else it was removed, and stays too.

    Parameters
    ----------
    then, now : sequence of str
        Names when it was predicted, if they are known, and those of the project.
    n : int
        How many are needed.
    one : str
        'class' or 'scene', for numbers in place of names.

    Examples
    --------
    >>> names_now(["cell", "vessel"], ["nucleus", "vessel"], n=2, one="class")
    ('nucleus', 'vessel')
    >>> names_now(["cell", "vessel"], ["vessel", "nerve"], n=2, one="class")
    ('cell', 'vessel')
    """
    known = list(then or now)
    for place, name in enumerate(now[: len(known)]):
        if known[place] not in now and name not in then:
            known[place] = name
    known += [f"{one} {number}" for number in range(len(known) + 1, n + 1)]
    return tuple(known[:n])


def per_cent(chance: float) -> str:
    """Return a probability in words, and certainty only where it is certain.

    Examples
    --------
    >>> [per_cent(p).replace(NO_BREAK, " ") for p in (0, 0.001, 0.873, 0.999, 1)]
    ['0 %', '< 1 %', '87 %', '> 99 %', '100 %']
    """
    if not math.isfinite(chance):
        return "not known"
    text = f"{100 * chance:.0f} %"
    if text == "0 %" and chance > 0:
        text = "< 1 %"
    if text == "100 %" and chance < 1:
        text = "> 99 %"
    return text.replace(" ", NO_BREAK)


def _listed(answer: NamedAnswer) -> list[tuple[str, float]]:
    """Return the classes that get a line: all, or those that may occur."""
    if len(answer.classes) <= MAX_LINES:
        return list(answer.classes)
    matter = {*answer.shown, *answer.disagreeing}
    return [each for each in answer.classes if each[0] in matter or each[1] > 0.5]


def _rest(answer: NamedAnswer, n_listed: int) -> str:
    n = len(answer.classes) - n_listed
    return f"{n} other class{'es' * (n > 1)}: probably not in this image" if n else ""


def _disagreement(name: str, is_shown: bool, chance: float) -> str:
    shows, looks = ("", "none") if is_shown else ("no ", "some")
    return (
        f"The segmentation shows {shows}{name}, but the image looks as if it had "
        f"{looks} (occurs{NO_BREAK}{per_cent(chance)})."
    )


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _scene_tag(project: Project, entry: ImageEntry) -> int | None:
    """Return the scene that a person gave an image, without reading any paint."""
    try:
        scene = read_json(project.annotation_folder(entry) / FACTS)["scene"]
        return None if scene is None else int(scene)
    except (OSError, MtsegError, KeyError, TypeError, ValueError):
        return None
