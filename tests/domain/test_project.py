import pytest

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.project import PALETTE, ImageEntry, ProjectInfo, palette

ENTRY = {
    "id": "a-1",
    "name": "a.tif",
    "source": "../a.tif",
    "axes": "CZYX",
    "shape": [2, 3, 4, 5],
    "rgb": False,
    "dtype": "uint8",
    "spacing": [2.0, 0.5, 0.5],
    "unit": "micrometer",
    "fingerprint": "0" * 64,
    "group": "a-1",
}


def test_a_palette_has_a_colour_per_class_and_starts_again():
    classes = palette(tuple(f"c{i}" for i in range(9)))
    assert [c.colour for c in classes] == [*PALETTE, PALETTE[0]]
    assert [c.name for c in classes][:2] == ["c0", "c1"]


def test_project_facts_come_back_from_json():
    info = ProjectInfo(name="p", classes=palette(("cell", "rod")), scenes=("day",))
    assert ProjectInfo.checked(info.model_dump(mode="json")) == info
    assert info.n_classes == 2


def test_an_image_entry_comes_back_from_json():
    entry = ImageEntry.checked(ENTRY)
    assert ImageEntry.checked(entry.model_dump(mode="json")) == entry
    assert entry.spatial_shape == (3, 4, 5)
    assert entry.split == "train"


@pytest.mark.parametrize("key", ["", "../a", "a/b", "a.b", "a\\b"])
def test_an_id_that_is_no_plain_file_name_is_refused(key):
    with pytest.raises(SettingsError, match="Setting 'id'"):
        ImageEntry.checked({**ENTRY, "id": key})


def test_an_unknown_split_is_refused():
    with pytest.raises(SettingsError) as caught:
        ImageEntry.checked({**ENTRY, "split": "holdout"})
    assert str(caught.value) == (
        "Setting 'split' is 'holdout' but must be one of train, validate, test. "
        "Change it and try again."
    )


def test_a_project_without_class_is_refused():
    with pytest.raises(SettingsError, match="'classes' is"):
        ProjectInfo.checked({"name": "p", "classes": []})
