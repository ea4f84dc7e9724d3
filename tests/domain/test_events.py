import json
import math

import pytest

from napari_mtseg.domain.events import (
    CheckpointSaved,
    LabelsGrown,
    Noticed,
    PreviewReady,
    RunStarted,
    StageStarted,
    StepFinished,
    TrainingFailed,
    TrainingFinished,
    ValidationFinished,
    from_json_line,
    to_json_line,
)

EVENTS = [
    RunStarted(method="baseline", total_steps=9, device="cpu", resumed_at=3),
    Noticed(message="Ö: a 'quoted' line\nand a \u2028 second"),
    StageStarted(name="grow", index=1, of=2, step=0),
    StepFinished(step=1, of=9, losses={"class": 0.5, "total": 0.75}, seconds=0.1),
    LabelsGrown(step=4, iteration=1, grown_share=0.2, files={"a": "grown/001/a.tif"}),
    PreviewReady(step=5, image="a", file="previews/a.npz"),
    ValidationFinished(step=6, metrics={"score": 0.9}, is_best=True),
    CheckpointSaved(step=7, file="checkpoints/last.safetensors"),
    TrainingFinished(step=9, reason="done", metrics={"score": 0.9}),
    TrainingFailed(step=2, message="The disk is full."),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_every_event_comes_back_from_its_one_line(event):
    line = to_json_line(event)
    assert len(line.splitlines()) == 1
    assert from_json_line(line) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_a_cut_off_line_is_refused_wherever_it_was_cut(event):
    line = to_json_line(event)
    for length in range(len(line)):
        with pytest.raises(ValueError, match=r"."):
            from_json_line(line[:length])


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"unheard_of","step":1}',
        '{"event":["noticed"],"message":"a"}',
        '{"message":"a"}',
        '["noticed"]',
        "3",
        '{"event":"preview_ready","step":5,"image":"a"}',
    ],
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError, match="not an event"):
        from_json_line(line)


def test_fields_of_a_newer_version_are_passed_over():
    line = '{"event":"noticed","message":"a","severity":3}'
    assert from_json_line(line) == Noticed(message="a")


def test_numbers_that_json_lacks_are_null_in_the_file_and_nan_again():
    metrics = {"hausdorff": math.nan, "ratio": math.inf, "score": 0.5}
    line = to_json_line(ValidationFinished(step=1, metrics=metrics, is_best=False))
    assert json.loads(line, parse_constant=pytest.fail)["metrics"] == {
        "hausdorff": None,
        "ratio": None,
        "score": 0.5,
    }
    found = from_json_line(line)
    assert isinstance(found, ValidationFinished)
    assert math.isnan(found.metrics["hausdorff"])
    assert found.metrics["score"] == 0.5
