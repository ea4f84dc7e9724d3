"""`mtseg project tag`: what images are as a whole, for many of them at once."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.progress import progress_bar
from napari_mtseg.cli.project_labels import AsJson, ProjectPath
from napari_mtseg.domain.errors import ProjectError, SettingsError

if TYPE_CHECKING:
    from napari_mtseg.domain.project import ImageEntry, ProjectInfo
    from napari_mtseg.storage.image_tags import Keep, TagChange
    from napari_mtseg.storage.project import Project

NO_SCENE = "none"
"""word that takes a scene away"""

_COLUMNS = ("scene", "present", "absent")
N_NAMED = 5
"""unknown names that a sentence lists"""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is said about some images, in the words of the command line or a table."""

    scene: str = ""
    """scene, NO_SCENE, or '' to leave it as it is"""
    present: tuple[str, ...] = ()
    """classes that occur"""
    absent: tuple[str, ...] = ()
    """classes that do not occur"""
    unknown: tuple[str, ...] = ()
    """classes of which nothing is said any more"""
    exhaustive: "bool | Keep" = "keep"
    """whether every object is marked"""


def run_tag(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Images, by name or id; all if none is named."),
    ] = None,
    scene: Annotated[
        str, typer.Option(help="Scene of these images; none takes it away.")
    ] = "",
    present: Annotated[
        str, typer.Option(help="Classes that occur in them, separated by commas.")
    ] = "",
    absent: Annotated[
        str, typer.Option(help="Classes that do not occur in them.")
    ] = "",
    unknown: Annotated[
        str, typer.Option(help="Classes of which it is not known any more.")
    ] = "",
    exhaustive: Annotated[
        bool | None,
        typer.Option(
            "--exhaustive/--not-exhaustive",
            help="Whether every object of these images has at least one mark.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="CSV file with the column name, and any of scene, present and absent "
            "(classes separated by semicolons).",
            metavar="FILE.csv",
        ),
    ] = None,
    add_scenes: Annotated[
        bool, typer.Option("--add-scenes", help="Add scenes that the project lacks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say of images as a whole which scene they show and which classes occur.

    What is not said stays as it is.

    Example: `mtseg project tag cells.mtseg a.tif b.tif --scene night --absent debris`
    """
    from napari_mtseg.storage.project import Project

    wish = Wish(
        scene=scene.strip(),
        present=_words(present, ","),
        absent=_words(absent, ","),
        unknown=_words(unknown, ","),
        exhaustive="keep" if exhaustive is None else exhaustive,
    )
    _check_given(wish, names or (), table)
    opened = Project.open(project)
    if table is None:
        chosen = _named(opened, names) if names else opened.images
        wishes = {entry.id: wish for entry in chosen}
    else:
        wishes = _wishes_in(opened, table)
    new = _new_scenes(opened, wishes.values(), may_add=add_scenes)
    _check_classes(opened.info, wishes.values())
    with opened.annotation_lock():
        changed = _carry_out(opened, wishes, new)
    _show(opened, wishes, changed, new, as_json=as_json)


def _check_given(wish: Wish, names: Sequence[str], table: Path | None) -> None:
    if table is None and wish == Wish():
        raise SettingsError(
            "What to say about the images was not given. Choose --scene, --present, "
            "--absent, --unknown, --exhaustive or --not-exhaustive, or --table."
        )
    if table is not None and (names or wish != Wish()):
        raise SettingsError(
            "--table says it image by image and goes with no names and no other tags. "
            "Give the table alone, or the tags without it."
        )
    listed = Counter(_classes_of(wish))
    twice = [name for name, n in listed.items() if n > 1]
    if twice:
        raise SettingsError(
            f"The class '{twice[0]}' is named twice in --present, --absent and "
            "--unknown. Name it once."
        )


def _named(project: "Project", names: Sequence[str]) -> "tuple[ImageEntry, ...]":
    """Return an image per name: its id, or its file name with or without ending."""
    from napari_mtseg.workflows.mask_files import stem_of

    by_id = {entry.id: entry for entry in project.images}
    by_name: dict[str, dict[str, ImageEntry]] = {}
    for entry in project.images:
        for name in (entry.name, stem_of(entry.name)):
            by_name.setdefault(name, {})[entry.id] = entry
    meant = [{n: by_id[n]} if n in by_id else by_name.get(n, {}) for n in names]
    missing = [name for name, found in zip(names, meant, strict=True) if not found]
    if missing:
        raise ProjectError(
            f"The project '{project.info.name}' has no image {_quoted(missing)}. "
            f"List them with 'mtseg project info {project.path.name}'."
        )
    for name, found in zip(names, meant, strict=True):
        if len(found) > 1:
            raise ProjectError(
                f"'{name}' is the name of {len(found)} images of the project. Name "
                f"them by their ids, such as '{min(found)}'."
            )
    return tuple(next(iter(found.values())) for found in meant)


def _wishes_in(project: "Project", path: Path) -> dict[str, Wish]:
    """Return image id -> what a table says of it."""
    rows = _rows(path)
    wishes: dict[str, Wish] = {}
    entries = _named(project, [row["name"] for row in rows])
    for entry, row in zip(entries, rows, strict=True):
        wish = Wish(
            scene=row["scene"],
            present=_words(row["present"], ";"),
            absent=_words(row["absent"], ";"),
        )
        both = set(wish.present) & set(wish.absent)
        if both:
            raise SettingsError(
                f"The table '{path.name}' says of '{row['name']}' that "
                f"'{min(both)}' is present and absent. Keep one of them."
            )
        if wishes.setdefault(entry.id, wish) != wish:
            raise SettingsError(
                f"The table '{path.name}' has two different lines for "
                f"'{row['name']}'. Keep one of them."
            )
    return wishes


def _rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of a table; what a line or the table lacks is ''."""
    if not path.is_file():
        raise SettingsError(f"The table '{path}' does not exist. Check the path.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restval="")
            columns = tuple(name.strip() for name in table.fieldnames or ())
            table.fieldnames = columns
            _check_columns(path, columns)
            found = [
                {key: (row.get(key) or "").strip() for key in ("name", *_COLUMNS)}
                for row in table
            ]
    except (UnicodeDecodeError, csv.Error):
        raise SettingsError(
            f"The table '{path.name}' is no CSV file in UTF-8. Save it as one."
        ) from None
    return [row for row in found if any(row.values())]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    unknown = [c for c in columns if c not in {"name", *_COLUMNS}]
    if "name" not in columns or len(columns) == 1 or unknown:
        raise SettingsError(
            f"The table '{path.name}' has the columns {', '.join(columns) or 'none'} "
            f"but needs 'name' and any of {', '.join(_COLUMNS)}, separated by commas. "
            "Rename or remove columns."
        )


def _new_scenes(
    project: "Project", wishes: Iterable[Wish], *, may_add: bool
) -> tuple[str, ...]:
    """Return the scenes that are named and that the project lacks."""
    scenes = project.info.scenes
    named = dict.fromkeys(w.scene for w in wishes if w.scene and w.scene != NO_SCENE)
    new = tuple(name for name in named if name not in scenes)
    if new and not may_add:
        has = f"only {', '.join(scenes)}" if scenes else "none yet"
        raise SettingsError(
            f"The project has no scene {_quoted(new)}, {has}. Check the name, or add "
            "it with --add-scenes."
        )
    return new


def _check_classes(info: "ProjectInfo", wishes: Iterable[Wish]) -> None:
    classes = [c.name for c in info.classes]
    named = dict.fromkeys(c for w in wishes for c in _classes_of(w))
    unknown = [name for name in named if name not in classes]
    if unknown:
        raise SettingsError(
            f"The project has no class {_quoted(unknown)}, only {', '.join(classes)}. "
            "Check the name."
        )


def _carry_out(
    project: "Project", wishes: Mapping[str, Wish], new: Iterable[str]
) -> "tuple[ImageEntry, ...]":
    from napari_mtseg.storage.class_edits import add_scene
    from napari_mtseg.storage.image_tags import set_each_tags

    for name in new:
        add_scene(project, name)
    changes = {key: _change(wish, project.info) for key, wish in wishes.items()}
    with progress_bar("tagging") as progress:
        return set_each_tags(project, changes, progress=progress)


def _change(wish: Wish, info: "ProjectInfo") -> "TagChange":
    from napari_mtseg.storage.image_tags import TagChange

    number = {c.name: k for k, c in enumerate(info.classes, start=1)}
    said = ((wish.present, True), (wish.absent, False), (wish.unknown, None))
    present = {number[name]: value for names, value in said for name in names}
    scene: int | Keep | None = None if wish.scene else "keep"
    if wish.scene in info.scenes:
        scene = info.scenes.index(wish.scene)
    return TagChange(scene=scene, present=present, exhaustive=wish.exhaustive)


def _show(
    project: "Project",
    wishes: Mapping[str, Wish],
    changed: "Sequence[ImageEntry]",
    new: Sequence[str],
    *,
    as_json: bool,
) -> None:
    from napari_mtseg.storage.image_tags import named_tags, tags_of

    info = project.info
    tags = {entry.id: tags_of(project, entry) for entry in project.images}
    without_scene = [key for key, said in tags.items() if said.scene is None]
    unknown = {
        each.name: sum(number not in said.present for said in tags.values())
        for number, each in enumerate(info.classes, start=1)
    }
    if as_json:
        print_json(
            {
                "tagged": {e.id: named_tags(tags[e.id], info) for e in changed},
                "added_scenes": list(new),
                "without_scene": without_scene,
                "presence_unknown": unknown,
            }
        )
    if new:
        say(f"added the scene{'s' * (len(new) != 1)} {', '.join(new)}")
    already = len(wishes) - len(changed)
    say(f"{_images(len(changed))} tagged" + f", {already} so already" * bool(already))
    if info.scenes:
        say(f"scene not given: {_images(len(without_scene))}")
    if any(_classes_of(wish) for wish in wishes.values()):
        left = ", ".join(f"{name} {n}" for name, n in unknown.items() if n)
        say(f"images without a tag of a class: {left or 'none'}")


def _classes_of(wish: Wish) -> tuple[str, ...]:
    return (*wish.present, *wish.absent, *wish.unknown)


def _words(text: str, separator: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(separator) if word.strip())


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:N_NAMED])
    more = len(names) - N_NAMED
    return shown + f" and {more} more" * (more > 0)


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"
