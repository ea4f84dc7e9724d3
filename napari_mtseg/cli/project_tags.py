"""`mtseg project tag`: what images are as a whole, for many of them at once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.progress import progress_bar
from napari_mtseg.cli.project_labels import AsJson, ProjectPath
from napari_mtseg.cli.project_scenes import NO_SCENE, likeness_notes
from napari_mtseg.cli.tag_table import ImageNames, Wish, quoted, table_in, words_in
from napari_mtseg.domain.errors import ProjectError, SettingsError

if TYPE_CHECKING:
    from napari_mtseg.domain.project import ImageEntry, ProjectInfo
    from napari_mtseg.storage.image_tags import Keep, TagChange
    from napari_mtseg.storage.project import Project


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
        str, typer.Option(help="Classes that occur in them, separated by , or ;.")
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
            "(classes separated by ; or ,). Other columns are passed over.",
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
        present=words_in(present),
        absent=words_in(absent),
        unknown=words_in(unknown),
        exhaustive="keep" if exhaustive is None else exhaustive,
    )
    _check_given(wish, names or (), table)
    opened = Project.open(project)
    if table is None:
        chosen = _named(opened, names) if names else opened.images
        wishes = {entry.id: wish for entry in chosen}
    else:
        wishes, passed_over = table_in(opened, table, may_add=add_scenes)
        if passed_over:
            say(f"columns passed over: {', '.join(passed_over)}")
    new = _new_scenes(opened, wishes.values(), may_add=add_scenes)
    _check_classes(opened.info, wishes.values())
    notes = likeness_notes(new, opened.info.scenes, project=opened.path.name)
    with opened.annotation_lock():
        changed = _carry_out(opened, wishes, new)
    _show(opened, wishes, changed, new, as_json=as_json)
    for note in notes:
        say(note)


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
    listed = Counter(wish.classes)
    twice = [name for name, n in listed.items() if n > 1]
    if twice:
        raise SettingsError(
            f"The class '{twice[0]}' is named twice in --present, --absent and "
            "--unknown. Name it once."
        )


def _named(project: "Project", names: Sequence[str]) -> "tuple[ImageEntry, ...]":
    """Return an image per name: its id, or its file name with or without ending."""
    images = ImageNames(project)
    meant = [images.called(name) for name in names]
    missing = [name for name, found in zip(names, meant, strict=True) if not found]
    if missing:
        raise ProjectError(
            f"The project '{project.info.name}' has no image {quoted(missing)}. "
            f"List them with 'mtseg project info {project.path.name}'."
        )
    for name, found in zip(names, meant, strict=True):
        if len(found) > 1:
            raise ProjectError(
                f"'{name}' is the name of {len(found)} images of the project. Name "
                f"them by their ids, such as '{found[0].id}'."
            )
    return tuple(found[0] for found in meant)


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
            f"The project has no scene {quoted(new)}, {has}. Check the name, or add "
            "it with --add-scenes."
        )
    return new


def _check_classes(info: "ProjectInfo", wishes: Iterable[Wish]) -> None:
    classes = [c.name for c in info.classes]
    named = dict.fromkeys(c for w in wishes for c in w.classes)
    unknown = [name for name in named if name not in classes]
    if unknown:
        raise SettingsError(
            f"The project has no class {quoted(unknown)}, only {', '.join(classes)}. "
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
    if any(wish.classes for wish in wishes.values()):
        left = ", ".join(f"{name} {n}" for name, n in unknown.items() if n)
        say(f"images without a tag of a class: {left or 'none'}")


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"
