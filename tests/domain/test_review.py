import math

import pytest
from pydantic import ValidationError

from napari_mtseg.domain.review import (
    DEFAULT_SCORE,
    SCORES,
    FlagRule,
    ReviewRecord,
    known_scores,
)


def rule(**values):
    given = {"run": "a", "score": "low_confidence", "threshold": 0.5}
    return FlagRule(**given, who="ann", when="2026-01-01T00:00:00Z", **values)


def test_image_at_the_threshold_is_flagged():
    assert rule().flags({"low_confidence": 0.5})
    assert not rule().flags({"low_confidence": 0.49})


def test_image_without_the_score_is_not_flagged():
    assert not rule().flags({"inside_entropy": 1.0})
    assert not rule().flags({"low_confidence": math.nan})


def test_threshold_is_a_finite_number():
    with pytest.raises(ValidationError):
        FlagRule(run="a", score="b", threshold=math.inf, who="c", when="d")


def test_known_scores_come_in_one_order_without_what_is_undefined():
    given = {"volume_variation": 1, "quality": 2, "boundary_entropy": 3}
    known = known_scores({**given, "inside_entropy": math.nan})
    assert list(known) == ["boundary_entropy", "volume_variation"]


def test_default_score_is_one_of_the_scores():
    assert DEFAULT_SCORE in SCORES


def test_verdict_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        ReviewRecord(image_id="a", run="b", verdict="good", who="c", when="d")


def test_record_survives_its_file():
    record = ReviewRecord(
        image_id="a", run="b", verdict=None, who="c", when="d", note="blurred"
    )
    assert ReviewRecord(**record.model_dump(mode="json")) == record
