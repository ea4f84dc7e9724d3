"""What a model says of an image as a whole, by the names of the project."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import FACTS
from napari_mtseg.storage.prediction_files import ImageAnswer, load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.write import read_json

NO_BREAK = "\u00a0"
"""a space that keeps a number and its unit on one line"""


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
    uncertainty_from: str = ""
    """which answers the uncertainty comes from; '' if there is none"""
    doubt: float = math.nan
    """uncertainty summed over the image, per object pixel; NaN if it is not known"""
    finds_objects: bool = True
    """False if nothing was segmented: then doubt is no number to compare"""

    @property
    def uncertainty(self) -> str:
        """Where the uncertainty comes from, and how much of it there is, in words."""
        if not self.uncertainty_from:
            return ""
        told = ""
        if self.knows_doubt:
            doubt = f"; doubt{NO_BREAK}{self.doubt:.2f}"
            told = doubt if self.finds_objects else "; nothing was found"
        return f"Uncertainty from {self.uncertainty_from}{told}"

    @property
    def knows_doubt(self) -> bool:
        """True if there is a number for the doubt."""
        return math.isfinite(self.doubt)

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
        uncertainty_from=answer.uncertainty_from,
        doubt=answer.scores.get("doubt", math.nan),
        finds_objects=bool(answer.n_objects),
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


def _disagreement(name: str, is_shown: bool, chance: float) -> str:
    shows, looks = ("", "none") if is_shown else ("no ", "some")
    return (
        f"The segmentation shows {shows}{name}, but the image looks as if it had "
        f"{looks} (occurs{NO_BREAK}{per_cent(chance)})."
    )


def _scene_tag(project: Project, entry: ImageEntry) -> int | None:
    """Return the scene that a person gave an image, without reading any paint."""
    try:
        scene = read_json(project.annotation_folder(entry) / FACTS)["scene"]
        return None if scene is None else int(scene)
    except (OSError, MtsegError, KeyError, TypeError, ValueError):
        return None
