"""`mtseg export`: take the trained weights away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from napari_mtseg.cli.output import print_json, say
from napari_mtseg.domain.errors import ModelError, SettingsError
from napari_mtseg.domain.model_usage import usage_line
from napari_mtseg.domain.shell_line import shell_line

if TYPE_CHECKING:
    from napari_mtseg.workflows.export import Exported
    from napari_mtseg.workflows.export_formats import Format
    from napari_mtseg.workflows.trained_model import Source


def run_export(  # noqa: PLR0913 - one argument per option
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PROJECT|MODEL",
            help="Project folder, NAME.mtseg, or a model to write in another format.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="What to write; must not exist yet.")],
    run: Annotated[
        str | None,
        typer.Option(help="With a project: the run; the newest by default."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="folder, zip, bioimageio, onnx or torch; by default what the name "
            "after --out ends in.",
        ),
    ] = None,
    as_zip: Annotated[
        bool, typer.Option("--zip", help="The same as --format zip.")
    ] = False,
    author: Annotated[
        list[str] | None,
        typer.Option(
            help="Who made the model; once per author. BioImage.IO wants one."
        ),
    ] = None,
    licence: Annotated[
        str,
        typer.Option(
            "--license",
            help="SPDX name of a licence such as CC-BY-4.0; by default none, so that "
            "nobody else may use the model.",
        ),
    ] = "",
    description: Annotated[
        str, typer.Option(help="What the model is for, in a sentence.")
    ] = "",
    cite: Annotated[
        list[str] | None,
        typer.Option(help="What to cite, with its DOI or web address."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON.")
    ] = False,
) -> None:
    """Export a run's best weights as a model that works without the project.

    What was written is checked before it gets its name: a model that answers unlike
    the network is never left behind.

    Example: `mtseg export cells.mtseg --out nuclei-model`

    Example: `mtseg export cells.mtseg --out nuclei.onnx`

    Example: `mtseg export nuclei-model --out nuclei --format bioimageio --author "Ann
    Example" --license CC-BY-4.0`
    """
    from napari_mtseg.workflows.export import export_as
    from napari_mtseg.workflows.export_credits import Credits

    if as_zip and kind not in {None, "zip"}:
        raise SettingsError(
            f"--zip and --format {kind} ask for two formats. Leave out one of them."
        )
    written = export_as(
        _weights(source, run),
        out,
        kind=cast("Format | None", "zip" if as_zip else kind),
        said=Credits(
            authors=tuple(author or ()),
            license=licence,
            description=description,
            cite=tuple(cite or ()),
        ),
        say=lambda step: say(f"  {step}"),
    )
    if as_json:
        print_json(_facts(written))
    else:
        _show(written, licence)


def _weights(path: Path, run: str | None) -> "Source":
    """Return the run of a project, or the path of a model."""
    from napari_mtseg.storage.model_folder import is_model
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.run_folder import find_run

    if not is_model(path):
        return find_run(Project.open(path).path, run)
    if run is not None:
        raise ModelError(f"'{path}' is a model, which has no runs. Leave out --run.")
    return path


def _facts(written: "Exported") -> dict[str, object]:
    origin = written.info.provenance
    return {
        "model": str(written.path),
        "format": written.kind,
        "run": origin.run,
        "step": origin.step,
        "metrics": origin.metrics,
        "checks": [
            {"what": check.what, "passed": check.passed, "figure": check.figure}
            for check in written.checks
        ],
    }


def _show(written: "Exported", licence: str) -> None:
    info, origin = written.info, written.info.provenance
    say(
        f"model '{info.name}' written to {written.path}\n"
        f"  {info.method}, run {origin.run}, step {origin.step}"
    )
    for check in written.checks:
        say(f"  checked: {check.what}: {check.result}")
    if written.kind == "bioimageio":
        test = shell_line("bioimageio", "test", str(written.path))
        say(f"  test it yourself: {test}")
        if not licence:
            say(
                "  no licence is stated, so nobody else may use it; name one with "
                "--license, such as CC-BY-4.0"
            )
    say(f"  use it: {usage_line(written.kind, written.path)}")
