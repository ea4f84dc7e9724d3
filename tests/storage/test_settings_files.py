import pytest

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.project import ClassInfo
from napari_mtseg.storage.settings_files import read_settings
from napari_mtseg.storage.write import write_json


def test_settings_come_back_from_their_file(tmp_path):
    info = ClassInfo(name="cell", colour="#e69f00")
    write_json(tmp_path / "a.json", info.model_dump())
    assert read_settings(tmp_path / "a.json", ClassInfo) == info


def test_a_wrong_value_names_its_file(tmp_path):
    write_json(tmp_path / "a.json", {"name": "cell", "colour": "red"})
    with pytest.raises(ProjectError) as caught:
        read_settings(tmp_path / "a.json", ClassInfo)
    assert str(caught.value) == (
        f"'{tmp_path / 'a.json'}' is damaged; put back a copy of it, or mend it in a "
        "text editor. Setting 'colour' is 'red' but must match pattern "
        "'^#[0-9a-f]{6}$'. Change it and try again."
    )


def test_a_missing_file_is_left_to_the_caller(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_settings(tmp_path / "a.json", ClassInfo)
