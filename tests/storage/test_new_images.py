from pathlib import Path

import pytest

from napari_mtseg.storage.new_images import new_id


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("a.tif", (), "a"),
        ("a.ome.tif", (), "a"),
        ("my cell (1).png", (), "my_cell_1"),
        (".hidden", (), "hidden"),
        ("細胞.tif", (), "image"),
        ("a.tif", ("A",), "a-2"),
        ("a.tif", ("a", "a-2"), "a-3"),
    ],
)
def test_an_id_is_the_name_in_plain_letters_with_a_number_if_taken(
    name, taken, expected
):
    assert new_id(Path(name), taken) == expected
