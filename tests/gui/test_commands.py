import sys
import threading
from pathlib import Path
from time import perf_counter

import psutil
import pytest

from napari_mtseg.gui.commands import CommandResult, Commands

MTSEG = (sys.executable, str(Path(__file__).parent / "fake_mtseg.py"))
QUICK = 15_000


@pytest.fixture
def commands(qtbot):
    made = Commands(mtseg=MTSEG)
    yield made
    made.release()


@pytest.fixture
def result_of(commands, qtbot):
    def result(*args):
        ends = []
        commands.run(["say", *args], ends.append)
        qtbot.waitUntil(lambda: bool(ends), timeout=QUICK)
        return ends[0]

    return result


def test_a_command_says_what_it_found(result_of):
    assert result_of("x", "three", "objects") == CommandResult(
        code=0, stdout="three objects", sentence=""
    )


def test_a_failure_is_the_last_sentence(result_of):
    assert result_of("error", "The", "disk", "is", "full.") == CommandResult(
        code=1, stdout="The disk is full.", sentence="The disk is full."
    )


def test_a_word_of_another_alphabet_arrives(result_of):
    assert result_of("x", "größe", "µm", "细胞").stdout == "größe µm 细胞"


def test_lines_come_as_they_are_printed_and_in_this_thread(commands, qtbot):
    lines, ends = [], []

    def keep(line):
        assert threading.current_thread() is threading.main_thread()
        lines.append(line)

    running = commands.run(["say", "sleep"], ends.append, keep)
    qtbot.waitUntil(lambda: lines == ["asleep"], timeout=QUICK)
    assert running.is_running
    running.stop()
    qtbot.waitUntil(lambda: bool(ends), timeout=QUICK)
    assert ends[0].was_stopped
    assert ends[0].code != 0
    assert ends[0].sentence == "Stopped."


def test_starting_a_command_takes_no_time(commands):
    began = perf_counter()
    commands.run(["say", "sleep"], lambda _: None)
    assert perf_counter() - began < 0.1


def test_a_program_that_is_not_there_is_a_sentence(qtbot):
    commands = Commands(mtseg=("no-such-program",))
    ends = []
    commands.run(["x"], ends.append)
    assert ends == []
    qtbot.waitUntil(lambda: bool(ends), timeout=QUICK)
    assert ends[0].code == -1
    assert ends[0].sentence.startswith("'no-such-program' could not be started (")


def test_commands_end_with_the_window_and_call_nobody(commands, qtbot):
    before = set(psutil.Process().children())
    n_threads = threading.active_count()
    lines, ends = [], []
    for _ in range(3):
        commands.run(["say", "sleep"], ends.append, lines.append)
    qtbot.waitUntil(lambda: len(lines) == 3, timeout=QUICK)
    commands.release()
    assert set(psutil.Process().children()) <= before
    assert threading.active_count() == n_threads
    qtbot.wait(50)
    assert ends == []


def test_a_callback_may_start_the_next_command(commands, qtbot):
    ends = []

    def again(result):
        ends.append(result.stdout)
        if len(ends) < 3:
            commands.run(["say", "x", str(len(ends))], again)

    commands.run(["say", "x", "0"], again)
    qtbot.waitUntil(lambda: ends == ["0", "1", "2"], timeout=QUICK)
