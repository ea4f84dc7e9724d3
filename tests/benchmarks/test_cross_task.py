"""The cross-task benchmark: its rows, its sizes and its tables, from made-up scores."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cross_task import (
    SIZES,
    cross_task_parser,
    plan_to_measure,
    row_of,
    size_of,
)
from benchmarks.cross_task_table import CONTROL, ROWS, help_lines, orderings, tables_of
from benchmarks.image_sets import IMAGE_SETS
from benchmarks.trained_rows import Trial, settings_of_row, train_and_score

FOLDER = "data/hippocampus_msd"


def arguments_of(*words):
    return cross_task_parser().parse_args(["--data", FOLDER, *words])


def result(row, seed, dice):
    metrics = ("dice", "jaccard", "hausdorff95", "assd")
    return {
        "row": row,
        "seed": seed,
        "seconds": 1.0,
        "test": dict.fromkeys(metrics, dice),
    }


def three_seeds(**dice_of):
    """Make results of three seeds from row=[Dice of each image]."""
    return [
        result(f"{row.replace('_', '-')}, 10 %", seed, dice)
        for row, dice in dice_of.items()
        for seed in range(3)
    ]


@pytest.mark.parametrize("name", sorted(SIZES))
@pytest.mark.parametrize("paper", [False, True])
@pytest.mark.parametrize("row", [*ROWS, CONTROL])
def test_every_row_has_settings_that_are_allowed(row, paper, name):
    size = SIZES[name]
    settings = settings_of_row(row_of(row, 0.1, size, paper=paper), ndim=3)
    assert settings["steps"] == size.steps
    assert settings["patch"] == size.patch
    assert settings["normalisation"] == "zscore"
    assert settings["optimizer"] == ("sgd" if paper else "adam")


def test_volumes_whose_classes_differ_by_place_alone_are_not_mirrored():
    row = row_of("MTCTL", 0.1, SIZES["hippocampus_msd"])
    settings = settings_of_row(row, ndim=3)
    assert (settings["flip"], settings["rotate"]) == (False, 15.0)
    paper = row_of("MTCTL", 0.1, SIZES["hippocampus_msd"], paper=True)
    settings = settings_of_row(paper, ndim=3)
    assert (settings["flip"], settings["rotate"]) == (False, 0.0)


def test_the_papers_sizes_are_its_own():
    size = size_of(arguments_of("--paper"))
    assert (size.steps, size.base, size.levels) == (6000, 16, 5)
    assert (size.patch, size.patch_depth, size.batch) == (112, 80, 4)


def test_what_is_asked_for_is_stronger_than_the_sizes_of_the_set():
    size = size_of(arguments_of("--steps", "7", "--n-train", "9", "--patch", "16"))
    assert (size.steps, size.n_train, size.patch) == (7, 9, 16)
    assert size.base == SIZES["hippocampus_msd"].base


def test_every_share_has_every_row_and_others_than_the_rows_are_refused():
    titles = [row.title for row in plan_to_measure(arguments_of()).rows]
    assert titles == [f"{row}, {share} %" for share in (10, 20) for row in ROWS]
    rows = plan_to_measure(arguments_of("--labelled", "0.5", "--control")).rows
    assert [row.title for row in rows][-1] == "MTCTL alone, 50 %"
    assert [row.unlabelled for row in rows][-2:] == [True, False]
    with pytest.raises(SystemExit, match=r"there is no row U-Net; the rows are: V-Net"):
        plan_to_measure(arguments_of("--rows", "U-Net"))


def test_runs_of_other_sizes_are_kept_apart():
    few, many = (plan_to_measure(arguments_of("--steps", n)) for n in ("5", "6"))
    assert few.out != many.out
    quick = plan_to_measure(arguments_of("--quick"))
    assert quick.n_seeds == 1
    assert quick.out.name.startswith("quick-")


def test_the_papers_differences_are_those_of_its_table():
    found = {(o.first, o.second): o.paper for o in orderings((0.1,))}
    assert found["MTCTL, 10 %", "V-Net, 10 %"] == "Dice +9.30, Jaccard +12.78 (%)"
    assert found["DTC, 10 %", "V-Net, 10 %"] == ""


def test_it_says_plainly_which_rows_unlabelled_data_helped():
    base = np.linspace(0.5, 0.7, 9)
    results = three_seeds(
        V_Net=list(base),
        UA_MT=list(base + 0.1 + 0.01 * np.arange(9)),
        DTC=list(base - 0.1 - 0.01 * np.arange(9)),
        MTCTL=list(base + 0.01 * (-1) ** np.arange(9)),
    )
    lines = help_lines(results, (0.1,))
    assert lines[0] == "Did unlabelled data help here? By Dice:"
    assert "With 10 % labelled, against V-Net: **yes**: UA-MT 0.140 (" in lines[2]
    assert "**no, worse**: DTC -0.140 (" in lines[2]
    assert "**cannot tell**: MTCTL 0.001 (" in lines[2]
    assert len(lines) == 3, "without the control nothing is said of it"


def test_too_few_seeds_are_said_to_decide_nothing():
    results = [result("V-Net, 10 %", 0, [0.5]), result("DTC, 10 %", 0, [0.6])]
    assert help_lines(results, (0.1,))[-1].endswith(
        "(fewer than 3 seeds decide nothing)."
    )


def test_the_table_has_the_papers_figures_beside():
    plan = plan_to_measure(arguments_of("--labelled", "0.1"))
    results = three_seeds(V_Net=[0.5, 0.6], MTCTL=[0.6, 0.7])
    text = "\n".join(tables_of(plan, results))
    assert "79.98 / 68.14" in text
    assert "full masks on 10 % of them" in text
    assert "Patches of 32 x 32 x 32 voxels at most, 4 per step" in text


@pytest.mark.slow
@pytest.mark.parametrize("row", ["V-Net", "MTCTL", CONTROL])
def test_a_tiny_row_is_trained_on_scribbles_and_scored(tmp_path, row):
    folder = tmp_path / "acdc_scribble"
    mask = np.zeros((4, 32, 32), np.uint8)
    mask[:, 4:20, 4:12], mask[:, 4:20, 12:20], mask[:, 20:28, 4:20] = 1, 2, 3
    strokes = np.where(np.indices(mask.shape)[1] % 8 == 6, mask, 4).astype(np.uint8)
    for what, array in (
        ("image", mask / 3 + 0.1),
        ("mask", mask),
        ("scribble", strokes),
    ):
        (folder / f"{what}s").mkdir(parents=True)
        for i in range(5):
            np.savez(folder / f"{what}s" / f"v{i}.npz", **{what: array})
    lines = [f"v{i},{'test' if i == 4 else 'train'}" for i in range(5)]
    (folder / "split.csv").write_text("\n".join(["name,split", *lines]))
    sizes = {"steps": 3, "base": 2, "levels": 2, "patch": 16, "patch_depth": 4}
    size = replace(SIZES["acdc_scribble"], **sizes)
    trial = Trial(
        row=row_of(row, 0.25, size),
        seed=0,
        images=replace(IMAGE_SETS["acdc_scribble"], spacing=size.spacing),
        data=folder,
        out=tmp_path / "out",
        device="cpu",
    )
    found = train_and_score(trial)
    assert found["row"] == f"{row}, 25 %"
    assert len(found["test"]["dice"]) == 1
