import json

import pytest

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.project import FORMAT_VERSION
from napari_mtseg.storage.migrations import MIGRATIONS, migrated


def to_one(folder, facts):
    (folder / "images").mkdir(exist_ok=True)
    return {"name": facts["title"], "format_version": 1}


def to_two(folder, facts):
    (folder / "images").rename(folder / "pictures")
    return {**facts, "colour": "as_is"}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "cells.mtseg"
    path.mkdir()
    return path


def test_an_old_project_is_brought_through_every_version(folder):
    found = migrated(
        folder,
        {"title": "cells", "format_version": 0},
        migrations={0: to_one, 1: to_two},
        target=2,
    )
    assert found == {"name": "cells", "colour": "as_is", "format_version": 2}
    assert json.loads((folder / "project.json").read_text()) == found
    assert (folder / "pictures").is_dir()


def test_a_migration_that_fails_leaves_the_version_before_it(folder):
    def fail(folder, facts):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        migrated(
            folder,
            {"title": "cells", "format_version": 0},
            migrations={0: to_one, 1: fail},
            target=2,
        )
    assert json.loads((folder / "project.json").read_text())["format_version"] == 1


def test_todays_project_is_not_touched(folder):
    facts = {"format_version": FORMAT_VERSION, "name": "cells"}
    assert migrated(folder, facts) == facts
    assert not (folder / "project.json").exists()


def test_a_newer_project_is_refused_with_one_sentence(folder):
    with pytest.raises(ProjectError) as caught:
        migrated(folder, {"format_version": FORMAT_VERSION + 1})
    assert str(caught.value) == (
        f"'cells.mtseg' has format version {FORMAT_VERSION + 1} but this program knows "
        f"up to {FORMAT_VERSION}. Update napari-mtseg to open it."
    )


def test_a_project_that_is_too_old_is_refused_before_anything_changes(folder):
    with pytest.raises(ProjectError) as caught:
        migrated(folder, {"format_version": -1}, migrations={0: to_one}, target=1)
    assert str(caught.value) == (
        "'cells.mtseg' has format version -1, which this program cannot bring to 1. "
        "Open it once with an older napari-mtseg first."
    )
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "facts",
    [{}, {"format_version": "1"}, {"format_version": True}, [], None],
)
def test_a_project_without_version_is_refused(folder, facts):
    with pytest.raises(ProjectError, match="has no valid format_version"):
        migrated(folder, facts)


def test_every_older_version_has_its_migration():
    assert sorted(MIGRATIONS) == list(range(1, FORMAT_VERSION))
