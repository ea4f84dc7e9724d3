import pytest

from napari_mtseg.domain.annotation import MAX_CLASSES
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.storage.project_names import checked_names


def test_blanks_around_names_and_empty_names_are_dropped():
    assert checked_names("class", [" a ", "", "b c"]) == ("a", "b c")


def test_a_project_may_have_no_scene():
    assert checked_names("scene", []) == ()


def test_as_many_classes_as_there_are_codes_are_taken():
    names = [f"c{i}" for i in range(MAX_CLASSES)]
    assert checked_names("class", names) == tuple(names)


@pytest.mark.parametrize(
    ("what", "names", "sentence"),
    [
        (
            "class",
            [" "],
            "The project has no class but needs at least one. Name what you want to "
            "segment, for example --classes nucleus.",
        ),
        (
            "class",
            ["a", "b", "a "],
            "The class names a, b, a are not all different. Rename one.",
        ),
        (
            "scene",
            ["day", "day"],
            "The scene names day, day are not all different. Rename one.",
        ),
        (
            "class",
            [f"c{i}" for i in range(MAX_CLASSES + 1)],
            "The project has 251 class names but can hold 250. Name fewer.",
        ),
    ],
)
def test_wrong_names_are_one_sentence(what, names, sentence):
    with pytest.raises(SettingsError) as caught:
        checked_names(what, names)
    assert str(caught.value) == sentence
