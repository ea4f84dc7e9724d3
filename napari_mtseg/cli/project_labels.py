"""`mtseg project simulate`, `import` and `export`: labels into and out of a project."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mtseg.cli.output import print_json, print_table, say
from napari_mtseg.cli.progress import progress_bar

if TYPE_CHECKING:
    from napari_mtseg.workflows.import_labels import ImportReport
    from napari_mtseg.workflows.simulate import SimulationReport


class ValuesChoice(StrEnum):
    """What the values of a mask mean."""

    objects = "objects"
    classes = "classes"


class KindChoice(StrEnum):
    """What imported masks are."""

    full = "full"
    partial = "partial"
    scribble = "scribble"


class LabelFormat(StrEnum):
    """What labels are exported as."""

    masks = "masks"
    rois = "rois"
    coco = "coco"


ProjectPath = Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout.")
]
MaskMeaning = Annotated[
    ValuesChoice,
    typer.Option(help="Each value is an object of class 1, or each value is a class."),
]


def run_simulate(  # noqa: PLR0913 - one argument per option
    project: ProjectPath,
    masks: Annotated[
        Path, typer.Option(help="Folder of complete masks, named like the images.")
    ],
    full_share: Annotated[
        float, typer.Option(help="Share of the training images with full masks, 0..1.")
    ] = 0.1,
    full_count: Annotated[
        int | None, typer.Option(help="Number of them, in place of the share.")
    ] = None,
    kinds: Annotated[
        str, typer.Option(help="What the others get: partial, scribble, or both.")
    ] = "partial",
    missed_share: Annotated[
        float, typer.Option(help="Share of the objects that get no mark, 0..1.")
    ] = 0.0,
    area_low: Annotated[
        float, typer.Option(help="Smallest painted share of an object's area.")
    ] = 0.2,
    area_high: Annotated[
        float, typer.Option(help="Largest painted share of an object's area.")
    ] = 0.8,
    mask_values: MaskMeaning = ValuesChoice.objects,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same paint.")] = 0,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out images without a mask.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also paint over what a person painted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Paint a project from complete masks, as an annotator would have done.

    Some training images get full masks, the others rough partial masks or scribbles;
    validation images get full masks, test images nothing.

    Example: `mtseg project simulate cells.mtseg --masks masks --full-count 3`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.simulate import (
        PaintingHabits,
        simulate,
    )

    opened = Project.open(project)
    habits = PaintingHabits.checked(
        {
            "full_share": full_share,
            "full_count": full_count,
            "kinds": tuple(k.strip() for k in kinds.split(",") if k.strip()),
            "missed_share": missed_share,
            "area_low": area_low,
            "area_high": area_high,
        }
    )
    with progress_bar("painting") as progress:
        report = simulate(
            opened,
            masks,
            habits=habits,
            values=mask_values.value,
            seed=seed,
            skip_missing=skip_missing,
            replace=replace,
            progress=progress,
        )
    if as_json:
        print_json(_simulation_json(report))
    else:
        _show_simulation(report, {e.id: e.split for e in opened.images})
    for notice in report.notices:
        say(f"note: {notice}")


def run_import(
    project: ProjectPath,
    source: Annotated[
        Path, typer.Argument(help="Folder of label images, a single one, or an export.")
    ],
    kind: Annotated[
        KindChoice | None,
        typer.Option(help="What they are; not needed for a folder made by export."),
    ] = None,
    mask_values: MaskMeaning = ValuesChoice.objects,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is painted already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read label images, named like the images, into the annotations.

    The exit code is 1 if any file could not be used.

    Example: `mtseg project import cells.mtseg masks --kind full --mask-values classes`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.import_labels import import_labels

    opened = Project.open(project)
    with progress_bar("importing labels") as progress:
        report = import_labels(
            opened,
            source,
            kind=kind.value if kind else None,
            values=mask_values.value,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        print_json(
            {
                "imported": list(report.imported),
                "failed": dict(report.failed),
                "unmatched": list(report.unmatched),
                "notices": list(report.notices),
            }
        )
    _say_imported(report)
    if report.failed:
        raise typer.Exit(1)


def run_export(
    project: ProjectPath,
    folder: Annotated[Path, typer.Argument(help="Folder to write; made if missing.")],
    label_format: Annotated[
        LabelFormat,
        typer.Option(
            "--format",
            help="All annotations as TIFF files and one JSON, which import reads "
            "again; or the full masks as ImageJ ROI sets, or as COCO.",
        ),
    ] = LabelFormat.masks,
    as_json: AsJson = False,
) -> None:
    """Write the annotations as files, for another project or another program.

    Example: `mtseg project export cells.mtseg labels`
    """
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.export_objects import export_objects
    from napari_mtseg.workflows.import_labels import export_labels

    opened = Project.open(project)
    with progress_bar("exporting labels") as progress:
        if label_format is LabelFormat.masks:
            exported = export_labels(opened, folder, progress=progress)
        else:
            as_rois = label_format is LabelFormat.rois
            exported = export_objects(
                opened,
                folder,
                form="rois" if as_rois else "coco",
                progress=progress,
            )
    if as_json:
        print_json({"folder": str(folder), "exported": list(exported)})
    say(f"labels of {_images(len(exported))} written to {folder}")


def _say_imported(report: "ImportReport") -> None:
    say(f"labels of {_images(len(report.imported))} imported")
    if report.failed:
        say(f"{len(report.failed)} could not be used:")
    for sentence in report.failed.values():
        say(f"  {sentence}")
    if report.unmatched:
        say(
            f"note: {len(report.unmatched)} label files fit no image of the project, "
            f"such as '{report.unmatched[0]}'"
        )
    for notice in report.notices:
        say(f"note: {notice}")


def _show_simulation(report: "SimulationReport", split_of: dict[str, str]) -> None:
    groups = (
        ("train", "full", "training: full masks"),
        ("train", "weak", "training: weak labels"),
        ("train", "none", "training: nothing (no objects)"),
        ("validate", "full", "validation: full masks"),
    )
    rows = []
    for split, paint, text in groups:
        images = [
            image
            for key, image in report.images.items()
            if image.paint == paint and split_of[key] == split
        ]
        if images:
            n_objects = sum(image.n_objects for image in images)
            n_marked = sum(image.n_marked for image in images)
            share = sum(image.painted_share for image in images) / len(images)
            row = (
                text,
                str(len(images)),
                str(n_objects),
                str(n_marked),
                f"{share:.0%}",
            )
            rows.append(row)
    for text, ids in (
        ("left out: no mask", report.without_mask),
        ("test: nothing, held out", report.held_out),
    ):
        if ids:
            rows.append((text, str(len(ids)), "", "", ""))
    print_table(("images", "number", "objects", "marked", "area painted"), rows)


def _simulation_json(report: "SimulationReport") -> dict[str, object]:
    return {
        "images": {
            key: {
                "paint": image.paint,
                "objects": image.n_objects,
                "marked": image.n_marked,
                "painted_share": image.painted_share,
            }
            for key, image in report.images.items()
        },
        "held_out": list(report.held_out),
        "without_mask": list(report.without_mask),
        "notices": list(report.notices),
    }


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"
