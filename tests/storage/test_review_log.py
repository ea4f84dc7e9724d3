import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.review import FlagRule, ReviewRecord, Verdict
from napari_mtseg.storage import write
from napari_mtseg.storage.review_log import ReviewLog, account_name, standing

EARLIER, LATER = "20260101-000000-baseline", "20260102-000000-baseline"


def record(
    image_id: str,
    verdict: Verdict | None,
    run: str = LATER,
    *,
    before: str | None = None,
) -> ReviewRecord:
    return ReviewRecord(
        image_id=image_id,
        run=run,
        verdict=verdict,
        who="ada",
        when="2026-01-03T10:00:00+00:00",
        before=before,
    )


def rule(threshold: float, run: str = LATER) -> FlagRule:
    return FlagRule(
        run=run, score="boundary_entropy", threshold=threshold, who="ada", when=""
    )


def test_what_is_appended_is_read_by_a_new_process(tmp_path):
    given_now = [record("a", "accepted"), record("b", None)]
    for one in given_now:
        ReviewLog(tmp_path).append(one)
    assert ReviewLog(tmp_path).records() == tuple(given_now)


def test_a_project_without_reviews_has_none(tmp_path):
    log = ReviewLog(tmp_path)
    assert log.records() == ()
    assert log.verdicts(LATER) == {}
    assert log.flag_rule(LATER) is None


def test_one_object_sees_what_another_appends(tmp_path):
    log = ReviewLog(tmp_path)
    for n in range(1, 4):
        ReviewLog(tmp_path).append(record(f"image-{n}", "skipped"))
        assert len(log.records()) == n
    log.file.unlink()
    assert log.records() == ()


@pytest.mark.parametrize("n_left", [1, 40, 90])
def test_a_line_that_was_cut_off_spoils_no_other(tmp_path, n_left):
    log = ReviewLog(tmp_path)
    for name in "ab":
        log.append(record(name, "accepted"))
    content = log.file.read_bytes()
    first = content.index(b"\n") + 1
    log.file.write_bytes(content[: first + n_left])
    assert [r.image_id for r in ReviewLog(tmp_path).records()] == ["a"]
    ReviewLog(tmp_path).append(record("c", "rejected"))
    assert [r.image_id for r in ReviewLog(tmp_path).records()] == ["a", "c"]


def test_lines_of_newer_versions_and_damaged_ones_are_passed_over(tmp_path):
    log = ReviewLog(tmp_path)
    log.append(record("a", "accepted"))
    newer = json.loads(log.file.read_text()) | {"image_id": "b", "mood": "good"}
    strange = [
        "", "{", "[]", "7", "null", '"verdict"', "[" * 100_000, '{"kind": "poem"}',
        '{"kind": "verdict"}', '{"kind": "verdict", "verdict": "perhaps"}', "\x00",
        '{"kind": ["verdict"]}', json.dumps(newer),
    ]  # fmt: skip
    with log.file.open("ab") as file:
        file.write(b"\xff\xfe\n" + "\n".join(strange).encode() + b"\n")
    log.append(record("c", "accepted"))
    assert [r.image_id for r in ReviewLog(tmp_path).records()] == ["a", "b", "c"]


def test_a_full_disk_is_one_sentence_and_leaves_the_log_whole(tmp_path, monkeypatch):
    log = ReviewLog(tmp_path)
    log.append(record("a", "accepted"))
    real = write.os.write

    def write_part(descriptor: int, data: bytes) -> int:
        if real(descriptor, data[:5]):
            raise OSError(errno.ENOSPC, "full")
        return 0

    monkeypatch.setattr(write.os, "write", write_part)
    with pytest.raises(StorageError, match="is full"):
        log.append(record("b", "accepted"))
    monkeypatch.undo()
    assert [r.image_id for r in ReviewLog(tmp_path).records()] == ["a"]
    assert log.file.read_bytes().count(b"\n") == 1


def test_the_latest_verdict_of_a_run_counts(tmp_path):
    log = ReviewLog(tmp_path)
    for verdict in ("accepted", "rejected"):
        log.append(record("a", verdict))
    assert log.verdicts(LATER)["a"].verdict == "rejected"


def test_a_verdict_taken_back_leaves_the_one_before(tmp_path):
    log = ReviewLog(tmp_path)
    for verdict in ("accepted", "rejected", None):
        log.append(record("a", verdict))
    assert log.verdicts(LATER)["a"].verdict == "accepted"
    log.append(record("a", None))
    assert log.verdicts(LATER) == {}
    log.append(record("a", None))
    assert log.verdicts(LATER) == {}


def test_masks_of_an_earlier_run_count_until_a_run_has_its_own_verdict(tmp_path):
    log = ReviewLog(tmp_path)
    log.append(record("a", "accepted", EARLIER, before="reviews/a.json"))
    log.append(record("b", "rejected", EARLIER))
    log.append(record("c", "corrected", EARLIER))
    found = log.verdicts(LATER)
    assert {key: r.verdict for key, r in found.items()} == {
        "a": "accepted",
        "c": "corrected",
    }
    log.append(record("a", "skipped", LATER))
    assert log.verdicts(LATER)["a"].verdict == "skipped"
    assert log.verdicts(EARLIER)["a"].verdict == "accepted"


def test_masks_that_were_taken_back_count_for_no_later_run(tmp_path):
    log = ReviewLog(tmp_path)
    log.append(record("a", "accepted", "20260101-1", before="reviews/1.json"))
    log.append(record("a", "rejected", "20260101-2", before="reviews/2.json"))
    assert log.verdicts("20260101-3") == {}


def test_verdicts_of_a_later_run_say_nothing_of_an_earlier_one(tmp_path):
    log = ReviewLog(tmp_path)
    log.append(record("a", "accepted", LATER))
    assert log.verdicts(EARLIER) == {}


def test_images_with_a_verdict_are_those_that_were_not_only_skipped(tmp_path):
    log = ReviewLog(tmp_path)
    for name, verdict in (("a", "accepted"), ("b", "skipped"), ("c", "rejected")):
        log.append(record(name, verdict))
    log.append(record("c", None))
    assert log.images_with_verdict() == {"a"}


def test_the_last_flag_rule_of_a_run_counts(tmp_path):
    log = ReviewLog(tmp_path)
    for threshold in (0.1, 0.2):
        log.set_flag_rule(rule(threshold))
    log.set_flag_rule(rule(0.9, run=EARLIER))
    log.append(record("a", "accepted"))
    found = ReviewLog(tmp_path).flag_rule(LATER)
    assert found is not None
    assert found.threshold == 0.2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=20))
def test_as_many_verdicts_stand_as_were_not_taken_back(steps):
    left = {"a": 0, "b": 0}
    records = []
    for name, is_verdict in steps:
        records.append(record(name, "accepted" if is_verdict else None))
        left[name] = max(0, left[name] + (1 if is_verdict else -1))
    found = [r.image_id for r in standing(records)]
    assert {name: found.count(name) for name in "ab"} == left


def test_an_account_without_a_name_is_unknown(monkeypatch):
    def fails() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr("getpass.getuser", fails)
    assert account_name() == "unknown"
