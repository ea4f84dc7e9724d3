import pytest

from napari_mtseg.domain.events import Noticed, StepFinished, to_json_line
from napari_mtseg.storage.event_reader import EventReader
from napari_mtseg.storage.run_folder import RunFolder

A = Noticed(message="a")
B = StepFinished(step=1, of=2, losses={"total": 1.0}, seconds=0.5)
C = Noticed(message="ü")


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def test_each_event_is_read_once(run):
    reader = EventReader(run.events_file)
    assert reader.new_events() == ()
    run.append(A)
    assert reader.new_events() == (A,)
    assert reader.new_events() == ()
    run.append(B)
    run.append(C)
    assert reader.new_events() == (B, C)


def test_a_line_is_read_when_it_is_whole(run):
    reader = EventReader(run.events_file)
    line = to_json_line(B).encode() + b"\n"
    with run.events_file.open("wb", buffering=0) as file:
        file.write(line + line[:9])
        assert reader.new_events() == (B,)
        assert reader.new_events() == ()
        file.write(line[9:])
    assert reader.new_events() == (B,)


def test_a_line_that_its_writer_took_back_is_not_joined_to_the_next(run):
    reader = EventReader(run.events_file)
    run.append(A)
    size = run.events_file.stat().st_size
    with run.events_file.open("r+b", buffering=0) as file:
        file.seek(size)
        file.write(b'{"event":"noti')
        assert reader.new_events() == (A,)
        file.truncate(size)
    run.append(C)
    assert reader.new_events() == (C,)


def test_a_line_that_a_crash_cut_off_is_passed_over(run):
    reader = EventReader(run.events_file)
    run.append(A)
    with run.events_file.open("ab") as file:
        file.write(b'{"event":"noti')
    run.append(B)
    assert reader.new_events() == (A, B)


@pytest.mark.parametrize("kept", [(), (A,), (A, B), (A, B, C)])
def test_a_file_that_was_rewritten_is_read_from_its_start(run, kept):
    reader = EventReader(run.events_file)
    for event in (A, B, C):
        run.append(event)
    reader.new_events()
    run.rewrite_events(kept)
    run.append(B)
    assert reader.new_events() == (*kept, B)


def test_old_events_can_be_passed_over_until_they_are_rewritten(run):
    run.append(A)
    reader = EventReader(run.events_file, skip=True)
    assert reader.new_events() == ()
    run.append(B)
    assert reader.new_events() == (B,)
    run.rewrite_events((A, B))
    assert reader.new_events() == (A, B)


def test_events_that_are_not_there_yet_are_not_passed_over(run):
    reader = EventReader(run.events_file, skip=True)
    run.append(A)
    assert reader.new_events() == (A,)
