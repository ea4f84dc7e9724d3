"""Changes that are made one after the other."""

from functools import partial

from napari_mtseg.gui.paced_changes import PacedChanges


def test_changes_are_made_in_order_and_the_newest_of_a_name_counts(qtbot):
    done = []
    changes = PacedChanges()
    changes.add({name: partial(done.append, name) for name in ("a", "b", "c")})
    changes.add({"a": partial(done.append, "A")})
    changes.drop("b")
    assert "a" in changes
    assert done == []
    with qtbot.waitSignal(changes.ended):
        pass
    assert done == ["A", "c"]
    assert "a" not in changes


def test_changes_that_were_given_up_are_not_made(qtbot):
    done = []
    changes = PacedChanges()
    changes.add({"a": partial(done.append, "a")})
    changes.clear()
    qtbot.wait(50)
    assert done == []
