"""What the table of predicted images shows: flags, filters, words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.review import ReviewRecord
from napari_mtseg.gui.review_rows import ReviewRows, Show, worst_threshold
from napari_mtseg.gui.review_words import (
    counts_in_words,
    row_in_words,
    score_cell,
    verdict_cell,
)
from napari_mtseg.storage.review_index import ReviewedImage

RUN = "20260102-000000-baseline"


def image(name, doubt=math.nan, verdict=None, run=RUN, **more):
    record = None
    if verdict is not None:
        record = ReviewRecord(
            image_id=name,
            run=run,
            verdict=verdict,
            who="ann",
            when="2026-01-02T03:04:05+00:00",
        )
    scores = {} if math.isnan(doubt) else {"boundary_entropy": doubt}
    return ReviewedImage(
        id=name,
        name=f"{name}.tif",
        split="train",
        scores={**scores, **more},
        n_objects=2,
        verdict=record,
    )


def rows_of(*images, threshold=math.inf):
    rows = ReviewRows()
    rows.list_images(images, RUN)
    rows.set_score("boundary_entropy")
    rows.threshold = threshold
    return rows


@pytest.mark.parametrize(
    ("values", "threshold"),
    [
        ([0.1, 0.2, 0.3], 0.3),
        ([i / 30 for i in range(30)], 27 / 30),
        ([0.1, 1.0, 1.0, 1.0], 1.0),
        ([0.2, math.nan], np.nextafter(0.2, 1)),
        ([0.0, 0.0, 0.0], np.nextafter(0.0, 1)),
        ([], math.inf),
        ([math.nan], math.inf),
    ],
)
def test_the_worst_tenth_is_flagged_but_never_all(values, threshold):
    assert worst_threshold(np.array(values, np.float64)) == threshold


@given(st.lists(st.floats(0, 1), min_size=2), st.floats(0.05, 1))
def test_some_images_are_flagged_unless_all_are_alike(values, share):
    found = np.array(values)
    n = int((found >= worst_threshold(found, share=share)).sum())
    assert n < len(values)
    assert (n > 0) == (len(set(values)) > 1)


def test_images_without_a_score_come_last_and_are_not_flagged():
    rows = rows_of(image("a"), image("b", 0.1), image("c", 0.4), threshold=0.0)
    assert rows.doubt_rank.tolist() == [2, 1, 0]
    assert rows.is_flagged.tolist() == [False, True, True]
    assert score_cell(rows.row(0)) == "-"
    assert score_cell(rows.row(2)) == "⚑ 0.400"


def test_images_that_are_alike_stand_in_the_order_of_their_names():
    rows = rows_of(image("b", 0.5), image("a", 0.5))
    assert rows.doubt_rank.tolist() == [1, 0]


def test_a_verdict_on_its_way_counts_until_it_is_taken_back():
    rows = rows_of(image("a", 0.5), image("b", 0.4, "rejected"))
    rows.set_saving("a", "accepted")
    assert rows.counts()[Show.ACCEPTED] == 1
    assert verdict_cell(rows.row(0)) == "✔ accepted\nsaving…"
    rows.set_saving("a", None)
    assert rows.counts()[Show.ACCEPTED] == 0
    assert rows.counts()[Show.UNREVIEWED] == 1


def test_a_verdict_on_an_earlier_run_is_told_apart_and_cannot_be_taken_back():
    rows = rows_of(image("a", 0.5, "accepted", run="20260101-000000-baseline"))
    assert verdict_cell(rows.row(0)) == "✔ accepted\nearlier run"
    assert "of run 20260101-000000-baseline" in row_in_words(rows.row(0))
    assert not rows.can_take_back


def test_the_tooltip_tells_scores_and_who_judged():
    rows = rows_of(image("a", 0.5, "rejected", disagreement=0.9), threshold=0.4)
    assert row_in_words(rows.row(0)).split("\n") == [
        "a.tif",
        "2 objects",
        "doubt at outlines: 0.5",
        "classes differ: 0.9",
        "uncertainty from one pass",
        "⚠ the segmentation shows other classes than expected",
        "⚑ flagged: at or above the threshold",
        "rejected by ann, 2026-01-02 03:04:05 UTC",
    ]


def test_only_scores_that_some_image_has_are_offered():
    rows = rows_of(image("a", 0.5), image("b", 0.4, low_confidence=0.2))
    assert rows.scores() == ("boundary_entropy", "low_confidence")
    assert rows_of(image("a")).scores() == ()


def test_skipped_images_are_counted_apart():
    rows = rows_of(image("a", 0.5, "skipped"), image("b", 0.4, "accepted"))
    told = counts_in_words(rows.counts(), n_saving=1, takes_back=False)
    assert told == "1 of 2 reviewed · 0 flagged · 1 skipped · saving 1…"
