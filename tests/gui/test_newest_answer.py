from threading import Event

import pytest

from napari_mtseg.domain.errors import RunError
from napari_mtseg.gui.newest_answer import NewestAnswer


@pytest.fixture
def answers(qtbot):
    found = []
    made = NewestAnswer()
    made.answered.connect(found.append)
    made.refused.connect(found.append)
    return made, found


def test_only_the_newest_of_many_questions_is_answered(answers, qtbot):
    made, found = answers
    may_go_on = Event()
    made.ask(lambda: may_go_on.wait(5))
    for n in range(10):
        made.ask(lambda n=n: n)
    may_go_on.set()
    qtbot.waitUntil(lambda: not made.is_busy)
    assert found == [9]


def test_what_is_dropped_is_not_told(answers, qtbot):
    made, found = answers
    made.ask(lambda: 1)
    made.drop()
    qtbot.waitUntil(lambda: not made.is_busy)
    made.ask(lambda: 2)
    qtbot.waitUntil(lambda: found == [2])


def test_what_the_user_can_mend_is_told_as_a_sentence(answers, qtbot):
    made, found = answers

    def fail():
        raise RunError("The file is gone. Put it back.")

    made.ask(fail)
    qtbot.waitUntil(lambda: found == ["The file is gone. Put it back."])


def test_a_bug_is_loud(answers, qtbot):
    made, found = answers
    with qtbot.captureExceptions() as errors:
        made.ask(lambda: 1 / 0)
        qtbot.waitUntil(lambda: errors != [])
    assert errors[0][0] is ZeroDivisionError
    assert found == []
