"""What to annotate next: five rounds of train, choose and annotate, in three ways.

    python -m benchmarks.annotation_rounds --data ../shared/data/dsb2018 --quick

A simulated annotator outlines so many objects on images drawn at random. Then, round
by round, a network learns from all that is outlined, starting from the one before, and
the same number of objects is outlined on images that are suggested: by doubt and
unlike each other, at random, or evenly spaced. The start is the same for all three.
Masks of test images never enter a project, nor masks of images that nobody annotated.
"""

import math
import shutil
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.annotation_rounds_table import EVERYTHING, START, tables_of
from benchmarks.budgeted_annotator import Effort, affordable, annotate, objects_in
from benchmarks.image_sets import ImageSet, Item, prepared
from benchmarks.jobs import run_jobs
from benchmarks.row_command import chosen_rows, images_of, parsed, row_parser
from benchmarks.trained_rows import Row, image_scores, settings_of_row
from napari_mtseg.domain.review import DEFAULT_SCORE
from napari_mtseg.storage.prediction_files import load_answer
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.project_names import with_suffix
from napari_mtseg.storage.run_folder import RunFolder, runs_of
from napari_mtseg.storage.write import read_json, write_json
from napari_mtseg.uncertainty.suggestion import HOWS, How, suggest
from napari_mtseg.workflows.predict import load_model
from napari_mtseg.workflows.predict_images import predict_project
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.train import train

METHOD = "baseline"
SIZE = {"base_channels": 8, "levels": 4, "patch": 128, "batch_size": 4}
"""settings of the network and its patches that all trainings share"""
N_QUICK_TEST = 6
"""test images of a quick run"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """All rounds of one way with one seed, or the start, or everything."""

    way: str
    """one of HOWS, START or EVERYTHING"""
    seed: int
    effort: Effort
    images: ImageSet
    data: Path
    """folder of the image set as it was published"""
    out: Path
    """folder of what is made here"""
    device: str

    @property
    def name(self) -> str:
        """Name of the result file and of the project."""
        return f"{self.way}-{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a prediction says of an image."""

    doubt: float = math.nan
    """DEFAULT_SCORE; NaN where nobody asked"""
    descriptor: tuple[float, ...] = ()
    """what the image looks like; empty where nobody asked"""


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = row_parser(__doc__, steps=100)
    parser.add_argument("--first-steps", type=int, default=200)
    parser.add_argument("--objects", type=int, default=20, help="outlined per round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parsed(parser)
    ways = chosen_rows(arguments, HOWS)
    quick, images = arguments.quick, images_of(arguments)
    if images.values != "objects":
        parser.error(f"the masks of '{images.name}' show no objects to count")
    # All training images can be chosen, not only those of the other tables.
    images = replace(images, n_train=images.n_train if quick else 10**6)
    effort = Effort(
        n_rounds=arguments.rounds,
        objects=arguments.objects,
        first_steps=arguments.first_steps,
        steps=arguments.steps,
    )
    if quick:
        images = replace(images, n_test=N_QUICK_TEST)
        effort = replace(effort, n_rounds=2, first_steps=40, steps=20)
    kind = "quick" if quick else "published"
    size = f"{effort.objects}-objects-{effort.steps}-steps"
    trial = Trial(
        way=START,
        seed=0,
        effort=effort,
        images=images,
        data=arguments.data,
        out=arguments.out / "annotation_rounds" / images.name / f"{kind}-{size}",
        device=arguments.device,
    )
    n_seeds = 1 if quick else arguments.seeds
    results = results_of(trial, ways, n_seeds=n_seeds, n_at_once=arguments.jobs)
    text = "\n".join(tables_of(results, images, effort, quick=quick)) + "\n"
    (trial.out / "table.md").write_text(text)
    print(text)


def results_of(
    trial: Trial, ways: Sequence[str], *, n_seeds: int, n_at_once: int
) -> list[dict[str, Any]]:
    """Go all rounds and return the results; what is done is not done again.

    Parameters
    ----------
    trial : Trial
        What all have in common; its way and seed do not count.
    ways : sequence of str
        Of HOWS.
    n_seeds, n_at_once : int
        Seeds, and trainings at the same time.
    """
    prepared(trial.data, trial.out / "data", trial.images)
    results = []
    for group in ((START,), ways, (EVERYTHING,)):  # the ways begin where START ended
        trials = [
            replace(trial, way=way, seed=seed)
            for seed in range(n_seeds)
            for way in group
        ]
        folder = trial.out / "results"
        results += run_jobs(go_rounds, trials, results=folder, n_at_once=n_at_once)
    return results


def go_rounds(trial: Trial) -> dict[str, Any]:
    """Go the rounds of one trial, or go on where an earlier call was stopped.

    Returns
    -------
    dict
        'row', 'seed', and 'rounds', each as :func:`go_round` returns it.
    """
    items = prepared(trial.data, trial.out / "data", trial.images)
    project = project_of(trial, items)
    once = trial.way in {START, EVERYTHING}
    numbers = [0] if once else range(1, trial.effort.n_rounds + 1)
    rounds = [go_round(trial, project, items, number) for number in numbers]
    return {"row": trial.way, "seed": trial.seed, "rounds": rounds}


def go_round(
    trial: Trial, project: Project, items: Sequence[Item], number: int
) -> dict[str, Any]:
    """Choose, annotate, train and score once; what is done is not done again.

    Returns
    -------
    dict
        'outlined' (file name -> objects), 'scenes' (kind of image -> images that
        were outlined), and 'dice' and 'object_f1' of each test image.
    """
    folder = trial.out / "rounds" / trial.name
    done, plan = folder / f"{number}.json", folder / f"{number}-chosen.json"
    if done.exists():
        found: dict[str, Any] = read_json(done)
        return found
    if not plan.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(plan, chosen_images(trial, project, items, number))
    masks = {item.image.name: item.mask for item in items if item.split == "train"}
    outlined = annotate(project, read_json(plan), masks)
    run = trained_run(trial, project, number)
    scores = image_scores(run, items, trial.images)
    found = {
        "outlined": outlined,
        "scenes": Counter(i.scene for i in items if i.image.name in outlined),
        "dice": scores["dice"],
        "object_f1": scores["object_f1"],
    }
    write_json(done, found)
    return found


def chosen_images(
    trial: Trial, project: Project, items: Sequence[Item], number: int
) -> dict[str, int]:
    """Return which images are annotated next, and how many objects on each."""
    costs = {i.image.name: objects_in(i.mask) for i in items if i.split == "train"}
    if trial.way == EVERYTHING:
        return costs
    names = sorted(costs)
    done = [i for i, name in enumerate(names) if is_annotated(project, name)]
    how: How = next((h for h in HOWS if h == trial.way), "random")
    looks = [Look()] * len(names)
    if how == "doubt":
        looks = looks_of(project, names, device=trial.device)

    def suggested(n: int) -> list[str]:
        places = suggest(
            n,
            how=how,
            doubts=[look.doubt for look in looks],
            descriptors=[look.descriptor for look in looks],
            rng=np.random.default_rng([trial.seed, number]),
            annotated=done,
        )
        return [names[place] for place in places]

    left = {name: costs[name] for i, name in enumerate(names) if i not in set(done)}
    return affordable(suggested, left, budget=trial.effort.objects)


def is_annotated(project: Project, name: str) -> bool:
    """Return True if something is painted on an image."""
    return not project.annotation(project.image(name)).is_empty


def looks_of(project: Project, names: Sequence[str], *, device: str) -> list[Look]:
    """Predict images of a project with its newest run and return how they look."""
    run = runs_of(project.path)[-1]
    model = load_model(run, device=device)
    folder = project.path / "predictions" / run.path.name
    entries = [project.image(name) for name in names]
    for outcome in predict_project(project, model, images=entries, maps=()):
        if outcome.error is not None:
            raise RuntimeError(f"{outcome.name}: {outcome.error}")
    answers = [load_answer(folder / entry.id) for entry in entries]
    shutil.rmtree(folder)
    return [
        Look(doubt=answer.scores[DEFAULT_SCORE], descriptor=answer.descriptor)
        for answer in answers
    ]


def trained_run(trial: Trial, project: Project, number: int) -> RunFolder:
    """Train a round from the run before, or go on where an earlier call was stopped.

    A project has one run for each round, the start included.
    """
    runs = runs_of(project.path)
    if len(runs) > number:
        run = runs[number]
    else:
        run, _ = start_run(
            project,
            METHOD,
            settings_of_row(row_of(trial.way, trial.effort)),
            seed=trial.seed,
            device=trial.device,
            parent=runs[-1].path.name if runs else None,
        )
    deque(train(project, run), maxlen=0)
    return run


def row_of(way: str, effort: Effort) -> Row:
    """Return the settings of a training of one way."""
    steps = {
        START: effort.first_steps,
        EVERYTHING: effort.first_steps + effort.n_rounds * effort.steps,
    }.get(way, effort.steps)
    values = {"steps": steps, "kept_checkpoints": 0}
    return Row(title=way, method=METHOD, shared=SIZE, values=values, paint="all full")


def project_of(trial: Trial, items: Sequence[Item]) -> Project:
    """Open the project of a trial, or make it: from what START left, except itself."""
    path = with_suffix(trial.out / "projects" / trial.name)
    if path.exists():
        return Project.open(path)
    partial = path.with_name(f"unfinished-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    if trial.way in HOWS:
        start = replace(trial, way=START)
        shutil.copytree(with_suffix(trial.out / "projects" / start.name), partial)
    else:
        images = trial.images
        project = Project.create(partial, classes=images.classes, colour=images.colour)
        for item in items:
            if item.split == "train":
                project.add_image(item.image)
    partial.rename(path)
    return Project.open(path)


if __name__ == "__main__":
    main()
