import json
import os

import pytest

from napari_mtseg.storage.prediction_files import FACTS
from napari_mtseg.storage.score_checks import (
    FILE,
    SHARES,
    CheckedImage,
    ScoreCheck,
    load_score_check,
    save_score_check,
    score_label,
)
from napari_mtseg.storage.score_figures import (
    Reliability,
    ReliabilityBin,
    RiskCurve,
    ScoreFigures,
)

CURVE = RiskCurve(coverage=(0.5, 1.0), risk=(0.1, 0.2), area=0.15)


def check_of(
    dice: list[float], *, split: str = "held-out", auroc_low: float | None = 0.7
) -> ScoreCheck:
    found = ScoreFigures(
        spearman=-0.62,
        spearman_low=-0.8,
        spearman_high=-0.3,
        auroc=0.9,
        auroc_low=auroc_low,
        auroc_high=1.0,
        found=(0.4, 0.83, 1.0, 1.0),
        curve=CURVE,
    )
    return ScoreCheck(
        run="run-1",
        split=split,
        truth="full masks of the project",
        when="2026-01-02T03:04:05+00:00",
        failure_below=0.8,
        images=tuple(
            CheckedImage(
                id=f"i{k}", name=f"i{k}.tif", dice=d, scores={"boundary_entropy": 0.1}
            )
            for k, d in enumerate(dice)
        ),
        scores={"boundary_entropy": found},
        found_best=(0.5, 1.0, 1.0, 1.0),
        found_chance=SHARES,
        best=CURVE,
        chance=0.2,
        pixels=Reliability(
            expected_error=0.1,
            largest_error=0.2,
            bins=(ReliabilityBin(n=9, confidence=0.9, right=0.8),),
        ),
        object_pixels=None,
    )


def said(n_failed: int, n: int, **more: object) -> str:
    dice = [0.5] * n_failed + [0.9] * (n - n_failed)
    return check_of(dice, **more).sentence("boundary_entropy")  # type: ignore[arg-type]


def test_enough_images_say_how_many_failures_flagging_finds():
    assert said(12, 100) == (
        "Flagging the worst 10 % by doubt at outlines finds 83 % of the failures "
        "(Dice below 0.8), measured on 100 held-out images; 10 % by chance, 100 % at "
        "best."
    )


@pytest.mark.parametrize("low", [0.45, None])
def test_what_may_be_chance_is_said_to_be(low):
    ending = "On these images it is not clearly better than chance."
    assert said(12, 100, auroc_low=low).endswith(ending)


@pytest.mark.parametrize(
    ("n", "beginning"),
    [
        (0, "No image is held out and annotated"),
        (1, "Only 1 image is held out and annotated"),
        (6, "Only 6 images are held out and annotated"),
    ],
)
def test_few_images_are_too_few_to_tell(n, beginning):
    assert said(0, n) == (
        f"{beginning}: too few to tell how well doubt finds failures. 20 are the least."
    )


@pytest.mark.parametrize(("n_failed", "count"), [(3, "Only 3"), (0, "None")])
def test_few_failures_are_too_few_to_tell(n_failed, count):
    assert said(n_failed, 24) == (
        f"{count} of 24 held-out images failed (Dice below 0.8): too few to tell how "
        "well doubt finds failures. 10 are the least. Rank correlation of doubt at "
        "outlines with Dice: -0.62 (-1 is best, 0 says nothing)."
    )


def test_where_almost_all_fail_all_need_a_look():
    assert said(22, 24).startswith(
        "22 of 24 held-out images failed (Dice below 0.8): with so many failures all "
        "results need a look"
    )


@pytest.mark.parametrize(
    ("n_failed", "n", "enough"),
    [(10, 20, True), (9, 20, False), (11, 20, False), (9, 19, False), (10, 500, True)],
)
def test_twenty_images_with_ten_of_each_kind_are_enough(n_failed, n, enough):
    dice = [0.5] * n_failed + [0.9] * (n - n_failed)
    assert check_of(dice).is_enough is enough


def test_a_score_that_was_not_checked_says_so():
    sentence = check_of([0.5, 0.9] * 20).sentence("volume_variation")
    assert sentence.startswith("'sizes differ' was not checked")


def test_images_that_are_not_held_out_are_not_said_to_be():
    assert "measured on 40 images;" in said(12, 40, split="all")
    assert said(2, 3, split="train").startswith("Only 3 images are annotated:")


def test_scores_of_methods_are_called_by_their_name():
    assert score_label("boundary_entropy") == "doubt at outlines"
    assert score_label("own_quality") == "own quality"


def test_a_saved_check_is_the_same_when_loaded(tmp_path):
    check = check_of([0.5, 0.9])
    save_score_check(tmp_path / "run-1", check)
    assert load_score_check(tmp_path / "run-1") == check
    assert check.mean_dice == pytest.approx(0.7)


def test_where_nothing_was_checked_there_is_none(tmp_path):
    assert load_score_check(tmp_path) is None
    assert check_of([]).mean_dice is None


@pytest.mark.parametrize("content", ["", "[1", "[]", '{"format_version": 2}'])
def test_a_file_that_cannot_be_read_is_as_if_nothing_was_checked(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert load_score_check(tmp_path) is None


def test_a_check_does_not_outlive_a_new_prediction(tmp_path):
    file = save_score_check(tmp_path, check_of([0.5, 0.9]))
    facts = tmp_path / "i1" / FACTS
    facts.parent.mkdir()
    facts.write_text(json.dumps({}))
    later = file.stat().st_mtime_ns + 1_000_000
    os.utime(facts, ns=(later, later))
    assert load_score_check(tmp_path) is None
    earlier = file.stat().st_mtime_ns - 1_000_000
    os.utime(facts, ns=(earlier, earlier))
    assert load_score_check(tmp_path) is not None
