"""`mtseg export`: take the trained weights away."""

from pathlib import Path
from typing import Annotated

import typer

from napari_mtseg.cli.output import print_json, say


def run_export(
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")],
    out: Annotated[
        Path, typer.Option(help="Model folder to write; must not exist yet.")
    ],
    run: Annotated[
        str | None, typer.Option(help="Run to export; the newest by default.")
    ] = None,
    as_zip: Annotated[
        bool, typer.Option("--zip", help="Write one zip file instead of a folder.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON.")
    ] = False,
) -> None:
    """Export a run's best weights as a model that works without the project.

    Example: `mtseg export cells.mtseg --out nuclei-model`
    """
    from napari_mtseg.storage.model_folder import load_model_folder
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.export import export_model

    written = export_model(Project.open(project), run, out, as_zip=as_zip)
    info, _ = load_model_folder(written)
    if as_json:
        facts = info.provenance
        print_json(
            {
                "model": str(written),
                "run": facts.run,
                "step": facts.step,
                "metrics": facts.metrics,
            }
        )
        return
    say(
        f"model '{info.name}' written to {written}\n"
        f"  {info.method}, run {info.provenance.run}, step {info.provenance.step}\n"
        f"  use it: mtseg predict {written} IMAGES --out results"
    )
