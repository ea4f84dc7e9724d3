"""`mtseg project info`: what a project holds, for people and for scripts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mtseg.cli.output import print_json, print_table, say
from napari_mtseg.cli.progress import progress_bar

if TYPE_CHECKING:
    from napari_mtseg.domain.annotation import Annotation, CompleteRegion
    from napari_mtseg.domain.project import ImageEntry
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import RunFolder

NOTHING = "-"


def show_info(
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on stdout.")
    ] = False,
) -> None:
    """Show the images of a project, what is annotated, the split and the runs.

    Example: `mtseg project info cells.mtseg`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import runs_of

    opened = Project.open(project)
    facts = []
    with progress_bar("reading annotations") as progress:
        for done, entry in enumerate(opened.images, start=1):
            facts.append(_facts(opened, entry))
            progress(done, len(opened.images))
    runs = [_run_facts(opened, run) for run in runs_of(opened.path)]
    if as_json:
        print_json(
            {
                "project": str(opened.path),
                **opened.info.model_dump(mode="json"),
                "images": facts,
                "runs": runs,
            }
        )
        return
    _show(opened, facts, runs)


def _show(
    project: "Project", facts: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]]
) -> None:
    info = project.info
    classes = ", ".join(f"{i} {c.name}" for i, c in enumerate(info.classes, start=1))
    typer.echo(f"{info.name}: {len(facts)} images, classes {classes}")
    if info.scenes:
        typer.echo(f"scenes {_scene_counts(info.scenes, facts)}")
    if info.colour != "as_is":
        typer.echo(f"all images are read as {info.colour}")
    channels, voxels = [_channels(f) for f in facts], [_voxel(f) for f in facts]
    for what, cells in (("channels", channels), ("voxel", voxels)):
        if len(set(cells)) == 1 and cells[0]:
            typer.echo(f"{what} of every image: {cells[0]}")
    if not facts:
        say(f"Add images with 'mtseg project add {project.path.name} FOLDER'.")
        return
    _print_columns(
        {
            "image": [f["name"] for f in facts],
            "id": _shown_if([f["id"] for f in facts], [_stem_id(f) for f in facts]),
            "size": [" x ".join(str(n) for n in f["shape"][1:]) for f in facts],
            "channels": _shown_if(channels, channels[:1] * len(facts)),
            "voxel": _shown_if(voxels, voxels[:1] * len(facts)),
            "split": [f["split"] for f in facts],
            "group": _shown_if([f["group"] for f in facts], [f["id"] for f in facts]),
            "scene": [f["tags"]["scene"] or "" for f in facts],
            "annotated": [_annotated(f) for f in facts],
            "by": [_origin(f) for f in facts],
        }
    )
    if runs:
        _print_columns(
            {
                "run": [r["id"] for r in runs],
                "state": [r["state"] for r in runs],
                "validation Dice": [_number(r["score"]) for r in runs],
                "predicted": [str(r["n_predicted"]) for r in runs],
            }
        )
    missing = [f["name"] for f in facts if f["missing"]]
    if missing:
        say(
            f"missing: {len(missing)} image files, such as '{missing[0]}'. Find them "
            f"with 'mtseg project relink {project.path.name} FOLDER'."
        )


def _facts(project: "Project", entry: "ImageEntry") -> dict[str, Any]:
    from napari_mtseg.storage.annotation_files import load_complete
    from napari_mtseg.storage.image_tags import named_tags
    from napari_mtseg.workflows.annotated_places import painted_parts

    parts = painted_parts(project, entry)
    return {
        **entry.model_dump(mode="json"),
        "missing": not (project.path / entry.source).exists(),
        "tags": named_tags(parts[0].tags, project.info),
        "annotation": _annotation_facts(
            parts, load_complete(project.annotation_folder(entry))
        ),
    }


def _annotation_facts(
    parts: "Sequence[Annotation]", complete: "CompleteRegion"
) -> dict[str, Any] | None:
    """Return what is painted on one image, of which there are one part or more."""
    if complete.is_empty and all(part.is_empty for part in parts):
        return None
    full = _n_objects([part.full.objects for part in parts])
    return {
        "full_objects": 0 if complete.is_empty else full,
        "complete": _region(complete),
        "partial_objects": _n_objects([part.partial.objects for part in parts]),
        "scribbles": any(part.has_scribbles for part in parts),
        "every_object_marked": parts[0].tags.exhaustive,
        "origin": parts[0].origin,
    }


def _region(region: "CompleteRegion") -> str | None:
    if region.is_empty:
        return None
    if region.whole:
        return "whole image"
    parts = [
        (len(region.boxes), "box", "boxes"),
        (len(region.slices), "plane", "planes"),
    ]
    return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in parts if n)


def _n_objects(layers: Sequence[Any]) -> int:
    from napari_mtseg.geometry.components import present_labels

    return len({int(i) for objects in layers for i in present_labels(objects)})


def _run_facts(project: "Project", run: "RunFolder") -> dict[str, Any]:
    from napari_mtseg.storage.locks import is_locked
    from napari_mtseg.storage.prediction_files import FACTS
    from napari_mtseg.storage.write import read_json

    ended = run.path / "metrics.json"
    result = read_json(ended) if ended.exists() else None
    state = result["reason"] if result else "not finished"
    predictions = project.path / "predictions" / run.path.name
    return {
        "id": run.path.name,
        "method": run.info.method,
        "state": "training" if is_locked(run.path) else state,
        "score": result["metrics"].get("score") if result else None,
        "n_predicted": len(list(predictions.glob(f"*/{FACTS}"))),
    }


def _scene_counts(scenes: Sequence[str], facts: Sequence[dict[str, Any]]) -> str:
    """Return such as 'day (12 images), night (3), not given (1)'."""
    shown = [f["tags"]["scene"] for f in facts]
    counts = [(scene, shown.count(scene)) for scene in scenes]
    counts += [("not given", shown.count(None))] if None in shown else []
    words = [f"{scene} ({n})" for scene, n in counts]
    n = counts[0][1]
    words[0] = f"{counts[0][0]} ({n} image{'s' * (n != 1)})"
    return ", ".join(words)


def _annotated(facts: dict[str, Any]) -> str:
    found = facts["annotation"]
    if found is None:
        return NOTHING
    parts = []
    if found["complete"]:
        parts.append(f"{found['full_objects']} full ({found['complete']})")
    if found["partial_objects"]:
        parts.append(f"{found['partial_objects']} partial")
    if found["scribbles"]:
        parts.append("scribbles")
    if found["every_object_marked"] and found["complete"] != "whole image":
        parts.append("all marked")
    return ", ".join(parts)


def _origin(facts: dict[str, Any]) -> str:
    found = facts["annotation"]
    return "" if found is None or found["origin"] == "painted" else found["origin"]


def _channels(facts: dict[str, Any]) -> str:
    if facts["channels"] is None:
        return "rgb" if facts["rgb"] else str(facts["shape"][0])
    used = ",".join(str(c) for c in facts["channels"])
    return f"{used} of {facts['shape'][0]}"


def _voxel(facts: dict[str, Any]) -> str:
    if facts["unit"] == "pixel":
        return ""
    sizes = " x ".join(f"{s:.4g}" for s in facts["spacing"])
    return f"{sizes} {facts['unit']}"


def _stem_id(facts: dict[str, Any]) -> str:
    return str(facts["name"]).split(".")[0]


def _shown_if(cells: list[str], usual: list[str]) -> list[str]:
    """Return the cells, or empty ones if all are what is expected anyway."""
    return [""] * len(cells) if cells == usual else cells


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _print_columns(columns: dict[str, list[str]]) -> None:
    """Print a table without the columns that are empty."""
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    print_table(list(shown), list(zip(*shown.values(), strict=True)))
