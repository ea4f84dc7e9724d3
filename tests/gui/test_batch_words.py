"""How far a folder is, in words."""

import pytest

from napari_mtseg.gui.batch_words import bar_text, end_text, seconds_left
from napari_mtseg.gui.commands import CommandResult
from napari_mtseg.storage.batch_ledger import BatchBegun, BatchProgress

DONE = CommandResult(code=0, stdout="", sentence="")
KILLED = CommandResult(code=-9, stdout="", sentence="The command was killed.")
STOPPED = CommandResult(code=1, stdout="", sentence="Stopped.", was_stopped=True)


def found(done=0, failed=0, skipped=0, *, total, seconds=0.0, has_ended=False):
    return BatchProgress(
        total=total,
        n_done=done,
        n_failed=failed,
        n_skipped=skipped,
        errors=(),
        seconds=seconds,
        is_running=False,
        has_ended=has_ended,
        report=None,
        begun=BatchBegun(total=total, model="m"),
    )


def test_images_that_were_done_before_do_not_count_for_the_time_left():
    at = found(8, 2, 40, total=100, seconds=20)
    assert seconds_left(at) == 100
    assert bar_text(at) == "50 / 100 · 2 min left"


def test_no_time_is_told_before_it_can_be_known():
    assert bar_text(found(1, total=3, seconds=1)) == "1 / 3"
    assert bar_text(found(3, total=3, seconds=60)) == "3 / 3"


@pytest.mark.parametrize(
    ("result", "at", "said"),
    [
        (DONE, found(1, total=1, has_ended=True), ("1 image segmented.", "ok")),
        (
            DONE,
            found(0, 0, 1200, total=1200, has_ended=True),
            ("Nothing was left to do. 1,200 were done before.", "ok"),
        ),
        (
            DONE,
            found(195, 5, 0, total=200, has_ended=True),
            ("195 images segmented. 5 could not be:", "note"),
        ),
        (
            DONE,
            found(0, 2, 0, total=2, has_ended=True),
            ("0 images segmented. 2 could not be:", "problem"),
        ),
        (STOPPED, None, ("Stopped. Nothing was written yet.", "note")),
        (
            STOPPED,
            found(3, 1, total=9),
            (
                "Stopped. 3 of 9 images are done and kept; Start goes on with the "
                "rest.",
                "note",
            ),
        ),
        (
            STOPPED,
            found(9, total=9, has_ended=True),
            ("9 images segmented.", "ok"),
        ),
        (
            KILLED,
            found(3, total=9),
            (
                "The command was killed. 3 of 9 images are done and kept; Start goes "
                "on with the rest.",
                "problem",
            ),
        ),
        (KILLED, None, ("The command was killed.", "problem")),
    ],
)
def test_the_end_is_one_honest_sentence(result, at, said):
    assert end_text(result, at) == said
