"""The command `mtseg`: its subcommands, and how errors reach the shell."""

import logging
import os
import sys

import typer

from napari_mtseg.cli import (
    demo,
    evaluate,
    export,
    methods,
    models,
    predict,
    project,
    review,
    train,
    wait,
    window,
)
from napari_mtseg.domain.errors import MtsegError

EXIT_ERROR = 1
"""exit code for what the user can mend; 2 is a wrong command line, as usual"""

app = typer.Typer(
    name="mtseg",
    help="Segment biomedical images from cheap labels: partial masks, scribbles and a "
    "few full masks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.run_demo)
app.command("window")(window.run_window)
app.add_typer(project.app, name="project")
app.command("methods")(methods.show_methods)
app.command("models")(models.show_models)
app.command("train")(train.run_train)
app.command("wait", hidden=True)(wait.run_wait)
app.command("predict")(predict.run_predict)
app.command("evaluate")(evaluate.run_evaluate)
app.command("review")(review.run_review)
app.command("export")(export.run_export)


def main() -> None:
    """Run `mtseg`; show what a user can mend as sentences on stderr, one a line."""
    # Threads that wait must sleep: spinning ones slow a training down six times as
    # soon as anything else, such as the window, uses a core (measured).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What a damaged file looks like inside is no help beside our own sentence.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        app(prog_name="mtseg")
    except MtsegError as error:
        sys.stderr.writelines(f"mtseg: {line}\n" for line in str(error).splitlines())
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
