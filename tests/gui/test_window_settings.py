from pathlib import Path

from napari_mtseg.gui.folder_request import FolderRequest
from napari_mtseg.gui.window_settings import (
    MAX_RECENT,
    WindowSettings,
    forget_open_project,
    load_window_settings,
    remember_credits,
    remember_project,
    remember_unfinished,
    save_window_settings,
    settings_folder,
)


def test_settings_lie_where_the_variable_says(tmp_path):
    save_window_settings(WindowSettings(open_at_end="/cells.mtseg"))
    assert (tmp_path / "config" / "window.json").is_file()
    assert load_window_settings().open_at_end == "/cells.mtseg"


def test_without_the_variable_they_lie_in_the_users_folder(monkeypatch):
    monkeypatch.delenv("MTSEG_CONFIG")
    assert settings_folder().name == "napari-mtseg"


def test_without_a_file_the_defaults_hold():
    assert load_window_settings() == WindowSettings()


def test_a_damaged_file_does_not_keep_the_window_shut(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "window.json").write_text('{"recent_projects": 3')
    assert load_window_settings() == WindowSettings()


def test_the_last_opened_project_is_first_and_stands_once():
    for name in ("a", "b", "a"):
        remember_project(Path(f"/p/{name}.mtseg"))
    recent = load_window_settings().recent_projects
    assert [Path(each).name for each in recent] == ["a.mtseg", "b.mtseg"]


def test_the_oldest_projects_are_forgotten_with_their_images():
    for n in range(MAX_RECENT + 2):
        remember_project(Path(f"/p/{n}.mtseg"), f"image{n}")
    settings = load_window_settings()
    assert len(settings.recent_projects) == MAX_RECENT
    assert set(settings.last_image) == set(settings.recent_projects)


def test_the_last_image_is_kept_when_only_the_project_is_told():
    remember_project(Path("/p/a.mtseg"), "tile_3")
    remember_project(Path("/p/a.mtseg"))
    assert list(load_window_settings().last_image.values()) == ["tile_3"]


def test_a_project_that_was_closed_is_not_gone_on_with():
    remember_project(Path("/p/a.mtseg"))
    assert load_window_settings().open_at_end
    forget_open_project()
    settings = load_window_settings()
    assert settings.open_at_end == ""
    assert len(settings.recent_projects) == 1


REQUEST = FolderRequest(
    source="/p/a.mtseg", run="r", inputs=("/in",), out="/out", maps=("classes",)
)


def test_what_is_not_finished_is_kept_for_its_project_until_it_is():
    remember_project(Path("/p/a.mtseg"))
    remember_unfinished(Path("/p/a.mtseg"), REQUEST)
    remember_unfinished(Path("/p/b.mtseg"), None)
    assert list(load_window_settings().unfinished.values()) == [REQUEST]
    remember_unfinished(Path("/p/a.mtseg"), None)
    assert load_window_settings().unfinished == {}


def test_what_is_not_finished_is_forgotten_with_its_project():
    remember_unfinished(Path("/p/a.mtseg"), REQUEST)
    for n in range(MAX_RECENT):
        remember_project(Path(f"/p/{n}.mtseg"))
    assert load_window_settings().unfinished == {}


def test_who_made_a_model_is_kept_for_the_next_one():
    remember_credits("Ada; Bo", "MIT")
    remember_project(Path("/p/a.mtseg"))
    settings = load_window_settings()
    assert (settings.author, settings.licence) == ("Ada; Bo", "MIT")
