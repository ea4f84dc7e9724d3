"""`mtseg project scenes`: the kinds of images that a project tells apart."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.cli.project_labels import AsJson, ProjectPath
from napari_mtseg.domain.errors import SettingsError

if TYPE_CHECKING:
    from napari_mtseg.domain.project import ImageEntry
    from napari_mtseg.storage.project import Project

NO_SCENE = "none"
"""word that takes a scene away, and so no name of one"""

LIKENESS = 0.8
"""share of letters, 0..1, from which on two names are much alike (difflib's ratio)"""


def run_scenes(
    project: ProjectPath,
    add: Annotated[
        str | None, typer.Option(help="Add a scene.", metavar="NAME")
    ] = None,
    rename: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Give a scene another name.", metavar="OLD NEW"),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(
            help="Remove a scene; images tagged with it have none any more.",
            metavar="NAME",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the scenes with their number of images, or change one.

    Earlier runs and models keep the scenes that they were trained with.

    Example: `mtseg project scenes cells.mtseg --rename nigh night`
    """
    from napari_mtseg.storage.project import Project

    if sum(wish is not None for wish in (add, rename, remove)) > 1:
        raise SettingsError(
            "More than one of --add, --rename and --remove was given. Give one at a "
            "time."
        )
    opened = Project.open(project)
    untagged: tuple[ImageEntry, ...] = ()
    if add is not None:
        say(f"added the scene {_added(opened, add)}")
    elif rename is not None:
        say("renamed the scene {} to {}".format(*_renamed(opened, *rename)))
    elif remove is not None:
        untagged = _removed(opened, remove)
        lost = f"; {_images(len(untagged))} had it" if untagged else ""
        say(f"removed the scene {remove.strip()}{lost}")
    _show(opened, untagged, as_json=as_json)


def likeness_notes(
    new: Iterable[str], scenes: Sequence[str], *, project: str
) -> tuple[str, ...]:
    """Return a note for each new scene that is much like one the project has.

    Parameters
    ----------
    new : iterable of str
        Scenes that are added.
    scenes : sequence of str
        Scenes that the project had before.
    project : str
        Name of its folder, for the command that takes a typing error back.

    Examples
    --------
    >>> likeness_notes(["dusk"], ["day", "night"], project="cells.mtseg")
    ()
    """
    folded = {name.casefold(): name for name in scenes}
    notes = []
    for name in new:
        alike = get_close_matches(name.casefold(), folded, n=1, cutoff=LIKENESS)
        if alike:
            word = f'"{name}"' if " " in name else name
            notes.append(
                f"note: the new scene '{name}' is much like '{folded[alike[0]]}'; "
                f"remove it with 'mtseg project scenes {project} --remove {word}' if "
                "it is a typing error."
            )
    return tuple(notes)


def _added(project: "Project", name: str) -> str:
    from napari_mtseg.storage.class_edits import add_scene

    name = name.strip()
    _check_new(name, project.info.scenes)
    with project.annotation_lock():
        add_scene(project, name)
    return name


def _renamed(project: "Project", old: str, new: str) -> tuple[str, str]:
    from napari_mtseg.storage.class_edits import rename_scene

    place, old, new = _place(project, old), old.strip(), new.strip()
    if new == old:
        raise SettingsError(f"The scene '{old}' is called so already. Name another.")
    if new in project.info.scenes:
        raise SettingsError(
            f"The project has a scene '{new}' already. Remove '{old}' with --remove "
            f"instead, and tag its images as '{new}'."
        )
    _check_new(new, project.info.scenes)
    with project.annotation_lock():
        rename_scene(project, place, new)
    return old, new


def _removed(project: "Project", name: str) -> "tuple[ImageEntry, ...]":
    from napari_mtseg.storage.class_edits import remove_scene

    place = _place(project, name)
    with project.annotation_lock():
        return remove_scene(project, place)


def _place(project: "Project", name: str) -> int:
    scenes, name = project.info.scenes, name.strip()
    if name not in scenes:
        has = f"only {', '.join(scenes)}" if scenes else "none yet"
        raise SettingsError(
            f"The project has no scene '{name}', {has}. Check the name."
        )
    return scenes.index(name)


def _check_new(name: str, scenes: Sequence[str]) -> None:
    if name in scenes:
        raise SettingsError(
            f"The project has a scene '{name}' already. Choose another name."
        )
    if name == NO_SCENE:
        raise SettingsError(
            f"'{NO_SCENE}' cannot be the name of a scene: 'mtseg project tag' takes "
            "scenes away by it. Choose another name."
        )


def _show(
    project: "Project", untagged: "Sequence[ImageEntry]", *, as_json: bool
) -> None:
    from napari_mtseg.storage.image_tags import named_tags, tags_of

    info = project.info
    scene_of = {
        entry.id: named_tags(tags_of(project, entry), info)["scene"]
        for entry in project.images
    }
    given = list(scene_of.values())
    counts = {name: given.count(name) for name in info.scenes}
    without = [key for key, scene in scene_of.items() if scene is None]
    if as_json:
        print_json(
            {
                "scenes": counts,
                "without_scene": without,
                "untagged": [entry.id for entry in untagged],
            }
        )
        return
    width = max(map(len, counts), default=0)
    for name, n in counts.items():
        typer.echo(f"{name:{width}}  {_images(n)}")
    if counts:
        say(f"scene not given: {_images(len(without))}")
    else:
        say("The project has no scenes. Add one with --add NAME.")


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"
