import pytest

from napari_mtseg.storage.predicted_masks import classes_moved


@pytest.mark.parametrize(
    ("now", "moved"),
    [
        (("a", "b"), False),
        (("a", "c"), False),
        (("a", "b", "c"), False),
        (("b",), True),
        (("a",), True),
        (("b", "a"), True),
        (("b", "c"), True),
    ],
)
def test_classes_move_where_one_is_gone_or_elsewhere(now, moved):
    assert classes_moved(("a", "b"), now) is moved
