import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from napari_mtseg.domain.annotation import Tags, empty_annotation
from napari_mtseg.domain.errors import (
    ImageError,
    MtsegError,
    ProjectError,
    SettingsError,
    StorageError,
)
from napari_mtseg.storage.colour_modes import in_colour_mode
from napari_mtseg.storage.project import (
    Project,
)
from napari_mtseg.storage.project_names import with_suffix
from napari_mtseg.storage.splits import split_of
from napari_mtseg.storage.write import read_json, write_json

HOLD_UNTIL_TOLD = """
import sys
from pathlib import Path
from napari_mtseg.storage.project import Project
lock = Project.open(Path(sys.argv[1])).annotation_lock().acquire()
print("held", flush=True)
sys.stdin.readline()
"""


def pixels(seed, shape=(5, 6), dtype=np.uint8):
    return np.random.default_rng(seed).integers(1, 200, shape).astype(dtype)


def tiff(folder, name, array):
    folder.mkdir(parents=True, exist_ok=True)
    colour = array.ndim == 3 and array.shape[-1] == 3
    tifffile.imwrite(
        folder / name, array, photometric="rgb" if colour else "minisblack"
    )
    return folder / name


def image(folder, name="a.tif", seed=0, shape=(5, 6), dtype=np.uint8):
    return tiff(folder, name, pixels(seed, shape, dtype))


def files_of(folder):
    return {
        f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()
    }


@pytest.fixture
def project(tmp_path):
    return Project.create(tmp_path / "cells", classes=["cell"])


# Making and opening


def test_a_new_project_can_be_opened(tmp_path):
    made = Project.create(
        tmp_path / "cells", classes=[" cell ", "rod"], scenes=["day"], colour="grey"
    )
    for path in (tmp_path / "cells", tmp_path / "cells.mtseg"):
        found = Project.open(path)
        assert found.path == tmp_path / "cells.mtseg"
        assert found.info == made.info
        assert [c.name for c in found.info.classes] == ["cell", "rod"]
        assert found.info.scenes == ("day",)
        assert found.images == ()


def test_a_project_can_be_opened_from_inside(project, monkeypatch):
    monkeypatch.chdir(project.path)
    assert Project.open(".").path == project.path


def test_a_project_does_not_depend_on_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Project.create("cells", classes=["cell"])
    entry = made.add_image(image(tmp_path))
    monkeypatch.chdir("/")
    assert made.source_path(entry) == tmp_path / "a.tif"


def test_a_folder_that_is_not_empty_is_not_made_a_project(project):
    with pytest.raises(ProjectError) as caught:
        Project.create(project.path, classes=["cell"])
    assert str(caught.value) == (
        f"'{project.path}' exists already and is not an empty folder. Choose "
        "another name, or add images to it with 'mtseg project add'."
    )


def test_a_file_is_not_made_a_project(tmp_path):
    (tmp_path / "cells.mtseg").touch()
    with pytest.raises(ProjectError, match="is not an empty folder"):
        Project.create(tmp_path / "cells", classes=["cell"])


def test_a_project_that_could_not_be_written_can_be_made_again(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    with pytest.raises(StorageError, match="is full"):
        Project.create(tmp_path / "cells", classes=["cell"])
    monkeypatch.undo()
    Project.create(tmp_path / "cells", classes=["cell"])


@pytest.mark.parametrize(
    ("name", "found"),
    [("nothing", "it does not exist"), (".", "it has no project.json")],
)
def test_what_is_no_project_is_refused(tmp_path, monkeypatch, name, found):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError) as caught:
        Project.open(name)
    assert str(caught.value) == (
        f"'{name}' is not a project folder: {found}. Check the name, or make one "
        "with 'mtseg project new'."
    )


def test_a_project_needs_a_name():
    with pytest.raises(ProjectError) as caught:
        with_suffix(".")
    assert str(caught.value) == (
        "'.' is no name for a project. Give one, such as cells.mtseg."
    )


def test_a_newer_project_is_refused(project):
    facts = read_json(project.path / "project.json")
    write_json(project.path / "project.json", {**facts, "format_version": 99})
    with pytest.raises(ProjectError, match=r"version 99 but .* Update napari-mtseg"):
        Project.open(project.path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 1}'])
def test_a_damaged_project_file_is_one_sentence_that_names_it(project, text):
    (project.path / "project.json").write_text(text)
    with pytest.raises(ProjectError, match=r"project\.json"):
        Project.open(project.path)


def test_a_damaged_image_entry_is_one_sentence_that_names_it(project, tmp_path):
    entry = project.add_image(image(tmp_path))
    file = project.path / "images" / f"{entry.id}.json"
    write_json(file, {**read_json(file), "axes": 3})
    with pytest.raises(ProjectError) as caught:
        Project.open(project.path)
    assert str(caught.value) == (
        f"'{file}' is damaged; put back a copy of it, or mend it in a text editor. "
        "Setting 'axes' is 3 but must be a valid string. Change it and try again."
    )


def test_an_entry_under_another_name_is_refused(project, tmp_path):
    entry = project.add_image(image(tmp_path))
    folder = project.path / "images"
    shutil.copy(folder / f"{entry.id}.json", folder / "b.json")
    with pytest.raises(ProjectError, match="describes the image 'a' but must be named"):
        Project.open(project.path)


def test_hidden_files_of_other_programs_are_passed_over(project):
    (project.path / "images").mkdir()
    (project.path / "images" / "._a.json").write_bytes(b"\x00\x05")
    assert Project.open(project.path).images == ()


# Adding images


def test_an_added_image_is_there_when_the_project_is_opened_again(project, tmp_path):
    file = image(tmp_path, shape=(4, 5, 6))
    entry = project.add_image(file, split="test", axes="ZYX")
    found = Project.open(project.path)
    assert found.images == (entry,)
    assert found.image("a") == found.image("a.tif") == entry
    assert (entry.axes, entry.shape, entry.dtype) == ("CZYX", (1, 4, 5, 6), "uint8")
    assert (entry.group, entry.split) == ("a", "test")
    assert np.array_equal(found.read_pixels(entry)[0], pixels(0, (4, 5, 6)))
    assert found.n_channels() == 1


def test_image_ids_are_unique_whatever_the_case_or_the_folder(project, tmp_path):
    names = ["a.tif", "A.tif", "a.png", "ä.tif", "a-2.tif", f"{'x' * 200}.tif"]
    ids = []
    for seed, name in enumerate(names):
        file = tmp_path / str(seed) / name
        file.parent.mkdir()
        if name.endswith(".png"):
            Picture.fromarray(pixels(seed)).save(file)
        else:
            image(file.parent, name, seed)
        ids.append(project.add_image(file).id)
    assert ids == ["a", "A-2", "a-3", "image", "a-2-2", "x" * 100]
    assert len(Project.open(project.path).images) == len(names)


def test_an_id_that_another_writer_took_meanwhile_is_left_alone(project, tmp_path):
    other = Project.open(project.path)
    first = other.add_image(image(tmp_path / "x", seed=1))
    second = project.add_image(image(tmp_path / "y", seed=2))
    assert (first.id, second.id) == ("a", "a-2")
    assert len(Project.open(project.path).images) == 2


def test_an_unknown_image_is_one_sentence(project):
    with pytest.raises(ProjectError) as caught:
        project.image("z")
    assert str(caught.value) == (
        "The project 'cells' has no image 'z'. List them with 'mtseg project info "
        "cells.mtseg'."
    )


def test_a_project_without_images_has_no_channels(project):
    with pytest.raises(ProjectError, match="The project 'cells' has no images"):
        project.n_channels()


def corrupt(folder):
    file = folder / "bad.tif"
    file.write_bytes(b"II*\x00 and nothing else")
    return file


def zero_size(folder):
    file = folder / "bad.tif"
    file.touch()
    return file


def with_nan(folder):
    array = pixels(5, dtype=np.float32)
    array[0, 0] = np.nan
    return tiff(folder, "bad.tif", array)


BAD = {
    "corrupt": (corrupt, "is damaged, cut off"),
    "empty": (zero_size, r"is an empty file \(0 bytes\)"),
    "missing": (lambda folder: folder / "bad.tif", "There is no file or folder"),
    "nan": (with_nan, "holds 1 NaN"),
    "constant": (
        lambda folder: tiff(folder, "bad.tif", np.full((5, 6), 7, np.uint8)),
        "has the value 7 in every pixel",
    ),
    "volume": (
        lambda folder: image(folder, "bad.tif", 1, (6, 5, 6)),
        "is 3D but the project's images are 2D. Put it into a project of its own",
    ),
    "colour": (
        lambda folder: image(folder, "bad.tif", 1, (5, 6, 3)),
        r"^'bad.tif' has 3 channels but the project's images have 1\. Choose channels "
        r"with --channels, or make the project with --colour grey or --colour rgb\.$",
    ),
    "again": (
        lambda folder: image(folder, "bad.tif", 0),
        r"^'bad.tif' is in the project already, as 'a.tif'\. Leave it out\.$",
    ),
}


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("kind", BAD)
def test_an_unusable_image_is_refused_and_the_project_untouched(
    project, tmp_path, kind, copy
):
    project.add_image(image(tmp_path))
    before = files_of(project.path)
    make, sentence = BAD[kind]
    with pytest.raises(MtsegError, match=sentence):
        project.add_image(make(tmp_path), copy=copy)
    assert files_of(project.path) == before
    assert [entry.name for entry in project.images] == ["a.tif"]


@pytest.mark.parametrize(("colour", "n_channels"), [("grey", 1), ("rgb", 3)])
def test_mixed_channel_counts_are_read_alike_in_a_colour_mode(
    tmp_path, colour, n_channels
):
    project = Project.create(tmp_path / "p", classes=["cell"], colour=colour)
    grey = project.add_image(image(tmp_path))
    rgb = project.add_image(image(tmp_path, "b.tif", 1, (5, 6, 3)))
    assert rgb.rgb
    assert project.n_channels() == n_channels
    for entry in (grey, rgb):
        assert project.read_pixels(entry).shape == (n_channels, 5, 6)


def test_other_channel_counts_are_refused_in_a_colour_mode(tmp_path):
    project = Project.create(tmp_path / "p", classes=["cell"], colour="rgb")
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, pixels(0, (2, 5, 6)), metadata={"axes": "CYX"})
    with pytest.raises(ImageError) as caught:
        project.add_image(file)
    assert str(caught.value) == (
        "'a.tif' has 2 channels but a project read as rgb takes 1 or 3. Choose its "
        "channels with --channels."
    )
    assert project.add_image(file, channels=[1]).channels == (1,)


def test_only_the_channels_used_are_read_and_checked(project, tmp_path):
    array = pixels(0, (5, 6, 3))
    array[..., 1] = 9
    file = tiff(tmp_path, "a.tif", array)
    with pytest.raises(ImageError, match="has the value 9 in every pixel"):
        project.add_image(file, channels=[1])
    entry = project.add_image(file, channels=[2])
    assert (entry.shape, entry.channels, entry.rgb) == ((3, 5, 6), (2,), False)
    assert np.array_equal(project.read_pixels(entry)[0], array[..., 2])


def test_a_channel_that_is_not_there_is_refused(project, tmp_path):
    with pytest.raises(ImageError, match=r"channel 1 is asked for"):
        project.add_image(image(tmp_path), channels=[1])


def test_grey_is_the_weighted_mean_and_rgb_repeats():
    rgb = np.array([[[100.0]], [[10.0]], [[1.0]]], np.float32)
    assert in_colour_mode(rgb, "grey").ravel() == pytest.approx([35.884])
    assert in_colour_mode(rgb[:1], "rgb").ravel().tolist() == [100] * 3
    assert in_colour_mode(rgb, "as_is") is rgb


# Copies


def test_a_copied_image_outlives_its_source(project, tmp_path):
    file = image(tmp_path / "there")
    entry = project.add_image(file, copy=True)
    file.unlink()
    assert entry.copied
    assert entry.source == "images/files/a.tif"
    assert np.array_equal(project.read_pixels(entry)[0], pixels(0))


def full_disk(monkeypatch, suffix=""):
    replace_file = os.replace

    def full(source, target):
        if str(target).endswith(suffix):
            raise OSError(errno.ENOSPC, "full")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", full)


def test_a_copy_whose_entry_finds_no_room_is_taken_back(project, tmp_path, monkeypatch):
    full_disk(monkeypatch, suffix=".json")
    with pytest.raises(StorageError, match="is full"):
        project.add_image(image(tmp_path), copy=True)
    monkeypatch.undo()
    assert list(files_of(project.path)) == [
        (project.path / "project.json").relative_to(project.path)
    ]
    assert project.images == ()
    assert project.add_image(tmp_path / "a.tif", copy=True).id == "a"


# Groups and splits


def test_an_image_of_a_known_group_gets_the_split_of_the_group(project, tmp_path):
    project.add_image(image(tmp_path), group="p1", split="test")
    second = project.add_image(image(tmp_path, "b.tif", 1), group="p1", split="train")
    assert second.split == "test"


def test_moving_one_image_to_another_split_moves_its_group(project, tmp_path):
    a = project.add_image(image(tmp_path), group="p1")
    project.add_image(image(tmp_path, "b.tif", 1), group="p1")
    project.add_image(image(tmp_path, "c.tif", 2), group="p2")
    project.update_image(a.changed({"split": "validate"}))
    splits = {e.id: e.split for e in Project.open(project.path).images}
    assert splits == {"a": "validate", "b": "validate", "c": "train"}


def test_an_image_that_stands_alone_never_falls_into_a_group(project, tmp_path):
    project.add_image(image(tmp_path, "x.tif"), group="p1", split="test")
    alone = project.add_image(image(tmp_path, "p1.tif", 1), split="train")
    assert (alone.group, alone.split) == ("p1-2", "train")


def test_the_split_of_a_group_depends_on_its_name_alone():
    shares = {"validate": 0.2, "test": 0.1}
    first = {f"g{i}": split_of(f"g{i}", **shares) for i in range(1000)}
    again = {f"g{i}": split_of(f"g{i}", **shares) for i in reversed(range(2000))}
    assert all(again[group] == split for group, split in first.items())
    counts = {s: list(first.values()).count(s) for s in ("train", "validate", "test")}
    assert counts["test"] == pytest.approx(100, abs=30)
    assert counts["validate"] == pytest.approx(200, abs=40)
    assert any(split_of(g, **shares, seed=1) != s for g, s in first.items())


@pytest.mark.parametrize(
    ("validate", "test", "expected"),
    [(0, 0, "train"), (1, 0, "validate"), (0, 1, "test")],
)
def test_shares_of_nothing_and_of_everything(validate, test, expected):
    found = {split_of(str(i), validate=validate, test=test) for i in range(50)}
    assert found == {expected}


# Files that moved or changed


def test_project_and_images_can_be_moved_together(tmp_path):
    home = tmp_path / "home"
    project = Project.create(home / "work" / "p", classes=["cell"])
    entry = project.add_image(image(home / "raw"))
    assert entry.source == "../../raw/a.tif"
    home.rename(tmp_path / "elsewhere")
    moved = Project.open(tmp_path / "elsewhere" / "work" / "p.mtseg")
    assert np.array_equal(moved.read_pixels(entry)[0], pixels(0))


def test_an_image_on_another_drive_is_kept_by_its_whole_path(
    project, tmp_path, monkeypatch
):
    def other_drive(*args):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", other_drive)
    entry = project.add_image(image(tmp_path))
    assert entry.source == (tmp_path / "a.tif").as_posix()
    assert np.array_equal(project.read_pixels(entry)[0], pixels(0))


def test_a_missing_image_is_one_sentence(project, tmp_path):
    entry = project.add_image(image(tmp_path))
    (tmp_path / "a.tif").unlink()
    with pytest.raises(ImageError) as caught:
        project.open_image(entry)
    assert str(caught.value) == (
        f"'a.tif' is missing: it was at '{tmp_path / 'a.tif'}'. Put it back, or run "
        "'mtseg project relink cells.mtseg FOLDER' with its new folder."
    )


def test_moved_and_renamed_images_are_found_by_their_content(project, tmp_path):
    for seed, name in enumerate(["a.tif", "b.tif", "c.tif"]):
        project.add_image(image(tmp_path / "raw", name, seed))
    raw, new = tmp_path / "raw", tmp_path / "new" / "deep"
    new.mkdir(parents=True)
    (raw / "a.tif").rename(new / "a.tif")
    (raw / "b.tif").rename(new / "renamed.tif")
    image(new, "b.tif", 9)
    found = project.relink(tmp_path / "new")
    assert {e.id for e in found} == {"a", "b"}
    again = Project.open(project.path)
    for seed, key in enumerate("abc"):
        assert np.array_equal(again.read_pixels(again.image(key))[0], pixels(seed))


def test_relinking_in_a_folder_that_is_none_is_one_sentence(project, tmp_path):
    with pytest.raises(ProjectError) as caught:
        project.relink(tmp_path / "nothing")
    assert str(caught.value) == (
        f"'{tmp_path / 'nothing'}' is not a folder. Name the folder that the images "
        "were moved to."
    )


@pytest.mark.parametrize("shape", [(5, 7), (5, 6, 3)])
def test_a_file_that_became_another_image_is_refused(project, tmp_path, shape):
    entry = project.add_image(image(tmp_path))
    image(tmp_path, shape=shape)
    now = "1 x 5 x 7" if shape == (5, 7) else "3 x 5 x 6"
    with pytest.raises(ImageError) as caught:
        project.open_image(entry)
    assert str(caught.value) == (
        f"'a.tif' is {now} (C, Y, X) now but was 1 x 5 x 6 when it was added. Put the "
        "first file back, or add this one as a new image."
    )


# Annotations


def test_an_annotation_is_kept_with_its_image(project, tmp_path):
    entry = project.add_image(image(tmp_path))
    assert project.annotation(entry).is_empty
    with project.annotation_lock():
        project.save_annotation(entry, tagged(entry, exhaustive=True))
    found = Project.open(project.path).annotation(entry)
    assert found.tags.exhaustive


def tagged(entry, **tags):
    empty = empty_annotation(entry.spatial_shape)
    return type(empty)(
        partial=empty.partial,
        scribbles=empty.scribbles,
        full=empty.full,
        tags=Tags(**tags),
    )


def test_a_second_writer_of_annotations_is_refused_with_the_name_of_the_first(project):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_UNTIL_TOLD, project.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(ProjectError) as caught, project.annotation_lock():
            pass
        sentence = str(caught.value)
        assert sentence.startswith(
            f"'{project.path / 'annotations'}' (annotations) is already being written "
            f"by process {holder.pid} on "
        )
        assert sentence.endswith("wait until it ends, then try again.")
    finally:
        holder.communicate("\n")
    with project.annotation_lock():
        pass


def test_errors_of_names_reach_whoever_makes_a_project(tmp_path):
    with pytest.raises(SettingsError, match="The project has no class"):
        Project.create(tmp_path / "p", classes=[" "])
    assert not (tmp_path / "p.mtseg").exists()
