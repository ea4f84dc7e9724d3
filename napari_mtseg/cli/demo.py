"""`mtseg demo`: the main job on embedded sample data."""

from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import Annotated

import typer

from napari_mtseg.cli.output import say
from napari_mtseg.cli.window import has_screen, open_window
from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.shell_line import shell_line


def run_demo(
    headless: Annotated[
        bool,
        typer.Option(
            "--headless", help="Do the whole job without a window, even with a screen."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results.  [default: a new mtseg-demo-N]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Paint, train, predict, evaluate and export on embedded sample data.

    First a model that comes with the program segments a picture at once. Then:
    A stained section with 16 tiles: 2 get full masks, 9 rough partial masks, 1
    validates, 4 are held out for the test. Where there is a screen, the painted
    project opens in the window: click Train there. Without a screen, or with
    `--headless`, all of it is done here.

    Example: `mtseg demo --headless --out my-demo`
    """
    out = out or _free_folder()
    if (out / "glands.mtseg").exists():
        raise StorageError(
            f"'{out}' holds an earlier demo. Delete it, or choose another folder "
            "with --out."
        )
    if not headless and has_screen() and find_spec("napari") is not None:
        _show_in_window(out, seed)
        return
    from napari_mtseg.cli.train import show_progress
    from napari_mtseg.workflows.demo import (
        finish_demo,
        make_sample_project,
        segment_at_once,
        train_sample,
    )

    say("1/5 segmenting a picture with the example model 'nuclei', trained before")
    found, n_objects = segment_at_once(out, device=device)
    say(f"    {n_objects} nuclei in {found}")
    say("2/5 making a project from the embedded sample, painted by a simulated hand")
    project, sample = make_sample_project(out, seed=seed)
    say("3/5 training: the partial masks grow to the boundaries")
    run, events = train_sample(project, seed=seed, device=device)
    show_progress(events, run)
    say("4/5 predicting all tiles and scoring the 4 that were held out")
    result = finish_demo(project, run, sample, out, device=device)
    summary = result.evaluation.summary()
    dice = next(iter(summary.values()))["dice"]
    say(
        f"5/5 done: test Dice {dice.mean:.3f} "
        f"(95 % interval {dice.low:.3f} to {dice.high:.3f}, {dice.n} tiles)"
    )
    say(f"    picture  {result.picture}")
    say(f"    model    {result.model}")
    say(f"    project  {result.project}")
    use = shell_line("mtseg", "predict", str(result.model), "FOLDER", "--out", "OUT")
    say(f"Use the model on your images: {use}")
    say("More trained models, to use or to start a training from: mtseg models")


def _show_in_window(out: Path, seed: int) -> None:
    from napari_mtseg.workflows.demo import make_sample_project

    say("making a project from the embedded sample, painted by a simulated hand")
    project, _ = make_sample_project(out, seed=seed)
    say(f"opening {project.path}; click Train to watch the masks grow")
    say("(the whole job without a window: mtseg demo --headless)")
    say("(models that are trained already: mtseg models)")
    open_window(project.path)


def _free_folder() -> Path:
    names = chain(["mtseg-demo"], (f"mtseg-demo-{n}" for n in count(2)))
    return next(Path(name) for name in names if not Path(name).exists())
