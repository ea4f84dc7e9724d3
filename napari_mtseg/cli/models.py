"""`mtseg models`: the example models that come with the program."""

import sys
from typing import Annotated

import typer

from napari_mtseg.cli.output import print_json, print_table, say


def show_models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Print the path of this one alone."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print as JSON on stdout.")
    ] = False,
) -> None:
    """List the example models: what they segment and where they are.

    Example: `mtseg models`

    Example: `mtseg predict $(mtseg models nuclei) IMAGES --out results`

    Example: `mtseg train cells.mtseg --from nuclei`
    """
    from napari_mtseg.storage.example_models import described_examples, example_model

    if name is not None:
        path = example_model(name)
        if as_json:
            print_json({"name": name, "path": str(path)})
        else:
            sys.stdout.write(f"{path}\n")
        return
    found = described_examples()
    if as_json:
        rows = [
            {"name": known, "path": str(path), "description": text}
            for known, (path, text) in found.items()
        ]
        print_json(rows)
        return
    print_table(("name", "segments"), [(k, text) for k, (_, text) in found.items()])
    for path in {path.parent for path, _ in found.values()}:
        say(f"They are in {path}; each has a card, README.md.")
