"""Every bad input, and the one sentence that a user reads about it."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import tifffile
import zarr

from napari_mtseg.cli.main import main
from napari_mtseg.domain.annotation import SCRIBBLE_BACKGROUND, empty_annotation
from napari_mtseg.domain.events import CheckpointSaved
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows import data_memory
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.train import train
from tests.tiny_projects import TINY, annotated, disc_image, disc_project
from tests.tiny_run import tiny_project, tiny_run

TRAIN = (
    "train discs.mtseg --method baseline --set steps=2 --set base_channels=2 "
    "--set levels=2 --set batch_size=2 --set patch=24"
)
GROW = TRAIN.replace("baseline --set steps=2", "recursive_approximation") + (
    " --set iterations=1 --set first_steps=0 --set steps_per_iteration=2"
)
HOLD_LOCK = """
import sys
from pathlib import Path
from napari_mtseg.storage.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]), purpose=sys.argv[2]).acquire()
print("held", flush=True)
sys.stdin.read()
"""
DAMAGED = (
    "cannot be read: it is damaged, cut off, or not what its name says. Copy or export "
    "it again from its source."
)
FULL = (
    "is full (0 bytes free). Free some space and try again; what was saved before is "
    "untouched."
)
LOCKED = (
    "is already being written by process {pid} on {host} (since {since}). Close it "
    "there or wait until it ends, then try again."
)
DENIED = (
    "cannot be written: permission denied. Choose another folder, or ask its owner for "
    "the right to write there."
)


@dataclass
class World:
    """Where a row prepares what is wrong."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    names: dict[str, object] = field(default_factory=dict)
    """what the sentence names that is known only now"""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    break_later: list[Callable[[], None]] = field(default_factory=list)
    """what breaks after the project has been made"""

    def project(self, **facts) -> Project:
        return disc_project(self.folder, n_images=2, **facts)

    def image(self, name: str, pixels: np.ndarray, **facts) -> None:
        tifffile.imwrite(self.folder / name, pixels, **facts)

    def lock(self, folder: Path, purpose: str) -> None:
        """Let another process write the folder."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD_LOCK, str(folder), purpose],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        owner = json.loads((folder / ".lock.json").read_text())
        self.names.update(owner)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = World(tmp_path, monkeypatch)
    yield made
    for process in made.processes:
        process.communicate()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bad input."""

    what: str
    prepare: Callable[[World], object]
    command: str
    """words behind `mtseg`, run in the prepared folder"""
    sentence: str
    """a whole line of stderr, without 'mtseg: ' or 'note: '; {names} are filled in"""
    works: bool = False
    """True where the program goes on and only says so"""


def pixels(shape=(32, 32), dtype=np.uint8):
    return np.random.default_rng(7).integers(0, 255, shape).astype(dtype)


def with_value(value):
    spoiled = pixels(dtype=np.float32)
    spoiled[3, 4] = value
    return spoiled


def corrupt(world):
    world.project()
    (world.folder / "bad.tif").write_bytes(b"II*\0 no tiff")


def cut_off(world):
    world.project()
    whole = (world.folder / "disc_0.tif").read_bytes()
    (world.folder / "bad.tif").write_bytes(whole[: len(whole) // 2])


def corrupt_medical(world):
    world.project()
    (world.folder / "bad.nrrd").write_bytes(b"NRRD0004\ntype: float\nnonsense")


def empty_file(world):
    world.project()
    (world.folder / "bad.png").touch()


def no_pixels(world):
    world.project()
    zarr.create_array(store=world.folder / "bad.zarr", shape=(0, 32), dtype="uint8")


def one_image(name, values, **facts):
    def prepare(world):
        world.project()
        world.image(name, values, **facts)

    return prepare


def mask(values):
    def prepare(world):
        world.project(painted=False)
        (world.folder / "masks").mkdir()
        world.image("masks/disc_0.tif", values)

    return prepare


def mask_of_no_image(world):
    mask(pixels())(world)
    (world.folder / "masks/disc_0.tif").rename(world.folder / "masks/x.tif")


def no_image_format(world):
    world.project()
    (world.folder / "a.docx").touch()


def damaged_project(world):
    project = world.project()
    (project.path / "project.json").write_text('{"name": "discs",')


def newer_project(world):
    project = world.project()
    file = project.path / "project.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "format_version": 99}))


def huge_images(world):
    world.project()
    # Two images of 32 x 32 pixels, as if each needed 12 GiB.
    world.monkeypatch.setattr(data_memory, "BYTES_PER_PIXEL", 12 * 2**20 - 4)
    memory = SimpleNamespace(available=8 * 2**30)
    world.monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


def annotations_locked(world):
    project = world.project()
    world.lock(project.path / "annotations", "annotations")
    (world.folder / "masks").mkdir()
    world.image("masks/disc_1.tif", disc_image(1, ndim=2, n_discs=1)[1])


def run_locked(world):
    run = run_with_weights(world)
    world.lock(run.path, f"run {run.path.name}")


def raising(code):
    def fail(*_args, **_facts):
        raise OSError(code, os.strerror(code))

    return fail


def masks_to_import(world):
    world.project()
    (world.folder / "masks").mkdir()
    world.image("masks/disc_0.tif", disc_image(0, ndim=2, n_discs=1)[1])


def not_writable(world):
    world.project()
    world.monkeypatch.setattr(Path, "mkdir", raising(errno.EACCES))


def disk_full_for(name, prepare):
    """Let the disk have no room for files of one name, once all is prepared."""

    def prepared(world):
        prepare(world)
        with_room = os.replace

        def full(source, target):
            if Path(target).match(name):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with_room(source, target)

        def fill():
            world.monkeypatch.setattr(os, "replace", full)
            no_room = SimpleNamespace(free=0)
            world.monkeypatch.setattr(shutil, "disk_usage", lambda _folder: no_room)

        world.break_later.append(fill)

    return prepared


def half_trained(world):
    """Prepare a run that was left after its first checkpoint."""
    project = world.project()
    settings = {**TINY, "steps": 3, "checkpoint_every": 1}
    run, _ = start_run(project, "baseline", settings, device="cpu")
    training = train(project, run)
    while not isinstance(next(training), CheckpointSaved):
        pass
    training.close()
    world.names["run"] = run.path.name


def file_as_folder(world):
    (world.folder / "taken").write_text("a file")


def one_class(world):
    project = world.project(painted=False)
    entry = project.images[0]
    painted = empty_annotation(entry.spatial_shape)
    scribbles = painted.scribbles.copy()
    scribbles[10:20, 10:20] = 3
    project.save_annotation(entry, replace(painted, scribbles=scribbles))


def weak_only(world):
    project = world.project(painted=False)
    for index, entry in enumerate(project.images):
        _, objects = disc_image(index, ndim=2, n_discs=1)
        weak = annotated(objects, exact=False)
        scribbles = weak.scribbles.copy()
        scribbles[:, 0] = SCRIBBLE_BACKGROUND
        project.save_annotation(entry, replace(weak, scribbles=scribbles))


def model_and_colour_image(world):
    project = tiny_project(world.folder)
    run = tiny_run(project)
    words = f"export {project.path} --run {run.path.name} --out model".split()
    assert answer(world, words).code == 0
    world.image("rgb.tif", pixels((24, 20, 3)), photometric="rgb")


def run_with_weights(world):
    run = tiny_run(tiny_project(world.folder))
    world.names["run"] = run.path.name
    return run


def run_without_weights(world):
    run_with_weights(world).checkpoint("best").unlink()


def image_moved(world):
    world.project()
    (world.folder / "disc_0.tif").unlink()


def nothing(world):
    pass


def a_project(world):
    world.project()


def no_images(world):
    Project.create(world.folder / "discs", classes=["disc"])


ROWS = (
    Row(
        what="corrupt file",
        prepare=corrupt,
        command="project add discs.mtseg bad.tif",
        sentence=f"'bad.tif' {DAMAGED}",
    ),
    Row(
        what="file that was cut off",
        prepare=cut_off,
        command="project add discs.mtseg bad.tif",
        sentence=f"'bad.tif' {DAMAGED}",
    ),
    Row(
        what="corrupt medical file",
        prepare=corrupt_medical,
        command="project add discs.mtseg bad.nrrd",
        sentence=f"'bad.nrrd' {DAMAGED}",
    ),
    Row(
        what="missing file",
        prepare=a_project,
        command="project add discs.mtseg gone.tif",
        sentence="There is no file or folder 'gone.tif'. Check the path.",
    ),
    Row(
        what="empty file",
        prepare=empty_file,
        command="project add discs.mtseg bad.png",
        sentence="'bad.png' is an empty file (0 bytes). Copy or export it again from "
        "its source.",
    ),
    Row(
        what="image without pixels",
        prepare=no_pixels,
        command="project add discs.mtseg bad.zarr",
        sentence="'bad.zarr' is empty: its size is 0 x 32. Leave it out or export it "
        "again.",
    ),
    Row(
        what="unknown format",
        prepare=no_image_format,
        command="project add discs.mtseg a.docx",
        sentence="'a.docx' is of a format that cannot be read. Supported are TIFF and "
        "OME-TIFF (.tif, .tiff, .btf, .tf8), PNG, JPEG, BMP, OME-Zarr "
        "folders, and with the extra 'medical' NIfTI (.nii, .nii.gz), NRRD, "
        "MHA, MHD and DICOM (.dcm, folders).",
    ),
    Row(
        what="mixed channel counts",
        prepare=one_image("rgb.tif", pixels((32, 32, 3)), photometric="rgb"),
        command="project add discs.mtseg rgb.tif",
        sentence="'rgb.tif' has 3 channels but the project's images have 1. Choose "
        "channels with --channels, or make the project with --colour grey or "
        "--colour rgb.",
    ),
    Row(
        what="2D and 3D mixed",
        prepare=one_image("stack.tif", pixels((6, 32, 32)), metadata={"axes": "ZYX"}),
        command="project add discs.mtseg stack.tif",
        sentence="'stack.tif' is 3D but the project's images are 2D. Put it into a "
        "project of its own.",
    ),
    Row(
        what="NaN",
        prepare=one_image("nan.tif", with_value(np.nan)),
        command="project add discs.mtseg nan.tif",
        sentence="'nan.tif' holds 1 NaN and 0 infinite values among its 1 x 32 x 32 "
        "(C, Y, X). Replace them, for example by 0, and save the image again.",
    ),
    Row(
        what="infinite",
        prepare=one_image("inf.tif", with_value(-np.inf)),
        command="project add discs.mtseg inf.tif",
        sentence="'inf.tif' holds 0 NaN and 1 infinite values among its 1 x 32 x 32 "
        "(C, Y, X). Replace them, for example by 0, and save the image again.",
    ),
    Row(
        what="constant image",
        prepare=one_image("flat.tif", np.full((32, 32), 9, np.uint8)),
        command="project add discs.mtseg flat.tif",
        sentence="'flat.tif' has the value 9 in every pixel, so nothing can be learned "
        "from it. Leave it out or export it again.",
    ),
    Row(
        what="channel that is not there",
        prepare=one_image("grey.tif", pixels()),
        command="project add discs.mtseg grey.tif --channels 2",
        sentence="'grey.tif' has 1 channel, but channel 2 is asked for. Its only "
        "channel is 0.",
    ),
    Row(
        what="image smaller than a patch",
        prepare=a_project,
        command=f"{TRAIN} --set patch=256",
        sentence="The training images are 32 x 32 pixels at most but patches of 256 x "
        "256 were asked for: the patches are shrunk to the images.",
        works=True,
    ),
    Row(
        what="huge training images",
        prepare=huge_images,
        command=TRAIN,
        sentence="The 2 training images need about 24.0 GiB of memory but 8.0 GiB are "
        "free. Cut the largest, 'disc_0.tif', into tiles, or annotate fewer "
        "images.",
    ),
    Row(
        what="image gone since it was added",
        prepare=image_moved,
        command=TRAIN,
        sentence="'disc_0.tif' is missing: it was at '{folder}/disc_0.tif'. Put it "
        "back, or run 'mtseg project relink discs.mtseg FOLDER' with its new "
        "folder.",
    ),
    Row(
        what="mask of another shape",
        prepare=mask(np.ones((16, 40), np.uint8)),
        command="project import discs.mtseg masks --kind full",
        sentence="Mask 'disc_0.tif' is 16 x 40 pixels but its image 'disc_0.tif' is 32 "
        "x 32: a mask needs the size of its image. Export it again at that "
        "size.",
    ),
    Row(
        what="mask in colour",
        prepare=mask(pixels((32, 32, 3))),
        command="project import discs.mtseg masks --kind full",
        sentence="Mask 'disc_0.tif' is a colour picture, but a mask holds one number "
        "per pixel: 0 for background, other values for objects or classes. "
        "Export it as a label image.",
    ),
    Row(
        what="mask with an unknown class",
        prepare=mask(np.full((32, 32), 4, np.uint8)),
        command="project import discs.mtseg masks --kind full --mask-values classes",
        sentence="Mask 'disc_0.tif' has the value 4 but the project has 1 class: 1 "
        "disc. Give the pixels one of these values, or choose --mask-values "
        "objects if each value is an object.",
    ),
    Row(
        what="scribble of an unknown class",
        prepare=mask(np.full((32, 32), 9, np.uint8)),
        command="project import discs.mtseg masks --kind scribble",
        sentence="Scribbles 'disc_0.tif' have the value 9 but the project allows 0 to "
        "3: 0 unpainted, 1 background, 2 separator, 3 and up its classes. "
        "Change the values and import again.",
    ),
    Row(
        what="mask of no image",
        prepare=mask_of_no_image,
        command="project import discs.mtseg masks --kind full",
        sentence="No label file in 'masks', such as 'x.tif', has the name of an image "
        "of the project, such as 'disc_0.tif'. Name them alike, up to an "
        "ending like _mask.",
    ),
    Row(
        what="annotations locked while importing",
        prepare=annotations_locked,
        command="project import discs.mtseg masks --kind full --overwrite",
        sentence=f"'{{folder}}/discs.mtseg/annotations' (annotations) {LOCKED}",
    ),
    Row(
        what="annotations locked while simulating",
        prepare=annotations_locked,
        command="project simulate discs.mtseg --masks masks --skip-missing",
        sentence=f"'{{folder}}/discs.mtseg/annotations' (annotations) {LOCKED}",
    ),
    Row(
        what="run locked",
        prepare=run_locked,
        command="train cells.mtseg --resume last",
        sentence=f"'{{folder}}/cells.mtseg/runs/{{run}}' (run {{run}}) {LOCKED}",
    ),
    Row(
        what="folder not writable",
        prepare=not_writable,
        command="project new locked --classes disc",
        sentence=f"'{{folder}}/locked.mtseg' {DENIED}",
    ),
    Row(
        what="project not writable",
        prepare=not_writable,
        command=TRAIN,
        sentence=f"'{{folder}}/discs.mtseg/runs' {DENIED}",
    ),
    Row(
        what="folder below a file",
        prepare=file_as_folder,
        command="project new taken/discs --classes disc",
        sentence="Nothing can be written to '{folder}/taken/discs.mtseg': "
        "'{folder}/taken' is a file, not a folder. Choose another folder.",
    ),
    Row(
        what="disk full while training",
        prepare=disk_full_for("last.safetensors", half_trained),
        command="train discs.mtseg --resume last",
        sentence="The disk that holds "
        f"'{{folder}}/discs.mtseg/runs/{{run}}/checkpoints/last.safetensors' "
        f"{FULL}",
    ),
    Row(
        what="disk full while importing",
        prepare=disk_full_for("annotation.json", masks_to_import),
        command="project import discs.mtseg masks --kind full --overwrite",
        sentence="The disk that holds "
        f"'{{folder}}/discs.mtseg/annotations/disc_0/annotation.json' {FULL}",
    ),
    Row(
        what="unknown setting",
        prepare=a_project,
        command=f"{TRAIN} --set setps=3",
        sentence="There is no setting 'setps'. Did you mean 'steps'? Known settings: "
        "average, base_channels, batch_size, checkpoint_every, class_weighting, "
        "compile, dice_weight, dropout, dropout_place, flip, intensity, "
        "kept_checkpoints, known_share, labels, learning_rate, levels, min_size, "
        "momentum, norm, normalisation, optimizer, patch, patch_depth, pathway, "
        "pathway_width, precision, prediction_memory, preview_every, rescale, rotate, "
        "schedule, slope, steps, validate_every, weight_decay.",
    ),
    Row(
        what="setting out of range",
        prepare=a_project,
        command=f"{TRAIN} --set learning_rate=7",
        sentence="Setting 'learning_rate' is 7 but must be a number above 0 and at "
        "most 1. Change it and try again.",
    ),
    Row(
        what="setting of the wrong type",
        prepare=a_project,
        command=f"{TRAIN} --set steps=many",
        sentence="Setting 'steps' is 'many' but must be a whole number at least 1 and "
        "at most 1,000,000. Change it and try again.",
    ),
    Row(
        what="choice that is none",
        prepare=a_project,
        command=f"{TRAIN} --set norm=layer",
        sentence="Setting 'norm' is 'layer' but must be one of batch, instance, none. "
        "Change it and try again.",
    ),
    Row(
        what="setting without a value",
        prepare=a_project,
        command=f"{TRAIN} --set steps",
        sentence="--set got 'steps' but expects NAME=VALUE, for example --set "
        "learning_rate=0.001.",
    ),
    Row(
        what="unknown device",
        prepare=a_project,
        command=f"{TRAIN} --device tpu",
        sentence="Device 'tpu' is not known. Choose one of: auto, cpu, cuda, mps.",
    ),
    Row(
        what="unknown method",
        prepare=a_project,
        command="train discs.mtseg --method magic",
        sentence="There is no method 'magic'. Choose one of: recursive_approximation, "
        "task_decomposition, joint_shape, high_resolution, cross_task, baseline.",
    ),
    Row(
        what="relative distances of partial masks",
        prepare=a_project,
        command="train discs.mtseg --method joint_shape --set distance_norm=sym",
        sentence="distance_norm=sym needs full masks of whole images, but 1 of 2 "
        "training images is painted in part. Set distance_norm=trunc, or mark the "
        "whole images complete.",
    ),
    Row(
        what="several slices of a plane",
        prepare=a_project,
        command="train discs.mtseg --method high_resolution --set slices=5",
        sentence="slices=5 is for 3D images but the images are 2D. Set slices=1.",
    ),
    Row(
        what="pathway below the network",
        prepare=a_project,
        command="train discs.mtseg --method high_resolution --set pathway=4 "
        "--set levels=3",
        sentence="pathway=4 needs more than 4 levels, but levels is 3. Set a smaller "
        "pathway or more levels.",
    ),
    Row(
        what="unknown preset",
        prepare=a_project,
        command="train discs.mtseg --preset huge",
        sentence="Method 'recursive_approximation' has no preset 'huge'. Choose one "
        "of: fast, balanced, paper, two tasks, three tasks, all paint.",
    ),
    Row(
        what="unlabelled project",
        prepare=lambda world: world.project(painted=False),
        command=TRAIN,
        sentence="Nothing is painted on the training images. Paint at least one object "
        "and some background.",
    ),
    Row(
        what="labels of one class only",
        prepare=one_class,
        command=TRAIN,
        sentence="Only one class is painted and no background. Paint one background "
        "stroke, or tick 'every object is marked'.",
    ),
    Row(
        what="no full mask",
        prepare=weak_only,
        command=GROW,
        sentence="No full mask is painted: the boundaries are learned from weak labels "
        "and growth is slowed down to beta 0.2. One full mask makes the "
        "boundaries better.",
        works=True,
    ),
    Row(
        what="full supervision without a full mask",
        prepare=weak_only,
        command=f"{GROW} --set supervision=full --set strokes_teach=false",
        sentence="supervision=full was asked for but no image has a complete region. "
        "Mark one, or set supervision=auto.",
    ),
    Row(
        what="model for other channels",
        prepare=model_and_colour_image,
        command="predict model rgb.tif --out results",
        sentence="The model expects 1 channel but 'rgb.tif' has 3. Choose channels of "
        "the image with --channels, or a model for such images.",
    ),
    Row(
        what="no model",
        prepare=nothing,
        command="predict model rgb.tif --out results",
        sentence="There is no project or model 'model'. Check the path.",
    ),
    Row(
        what="unknown run",
        prepare=half_trained,
        command="train discs.mtseg --resume tuesday",
        sentence="'discs.mtseg' has no run 'tuesday'. Its runs: {run}.",
    ),
    Row(
        what="no run yet",
        prepare=a_project,
        command="predict discs.mtseg",
        sentence="'discs.mtseg' has no run yet. Start one with 'mtseg train "
        "discs.mtseg'.",
    ),
    Row(
        what="run without weights",
        prepare=run_without_weights,
        command="export cells.mtseg --out model",
        sentence="Run '{run}' has no weights yet. Let it train on with 'mtseg train "
        "cells.mtseg --resume {run}', or choose another run.",
    ),
    Row(
        what="start from a run without weights",
        prepare=run_without_weights,
        command=TRAIN.replace("discs", "cells") + " --from last",
        sentence="Run '{run}' has no weights yet. Let it train on, or start from "
        "another run.",
    ),
    Row(
        what="no predictions to score",
        prepare=run_with_weights,
        command="evaluate cells.mtseg --split validate",
        sentence="Run '{run}' has not predicted 'validate.tif' (1 of 1 images are "
        "missing). First run 'mtseg predict cells.mtseg --run {run} --split "
        "validate'.",
    ),
    Row(
        what="not a project",
        prepare=nothing,
        command="train photos",
        sentence="'photos' is not a project folder: it does not exist. Check the "
        "name, or make one with 'mtseg project new'.",
    ),
    Row(
        what="project that is there already",
        prepare=a_project,
        command="project new discs --classes disc",
        sentence="'{folder}/discs.mtseg' exists already and is not an empty folder. "
        "Choose another name, or add images to it with 'mtseg project add'.",
    ),
    Row(
        what="damaged project",
        prepare=damaged_project,
        command="project info discs.mtseg",
        sentence="'{folder}/discs.mtseg/project.json' is damaged: Expecting property "
        "name enclosed in double quotes at line 1, column 18. Put back a copy "
        "of the file, or mend it in a text editor.",
    ),
    Row(
        what="project of a newer version",
        prepare=newer_project,
        command="project info discs.mtseg",
        sentence="'discs.mtseg' has format version 99 but this program knows up to 1. "
        "Update napari-mtseg to open it.",
    ),
    Row(
        what="no images",
        prepare=no_images,
        command=TRAIN,
        sentence="The project 'discs' has no images. Add some with 'mtseg project add "
        "discs.mtseg FOLDER'.",
    ),
)


@dataclass(frozen=True)
class Answer:
    code: int
    lines: tuple[str, ...]
    """of stderr, without what comes before the sentence"""
    stderr: str


def answer(world, words, capfd=None):
    world.monkeypatch.setattr(sys, "argv", ["mtseg", *words])
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code
    text = capfd.readouterr().err if capfd else ""
    prefixes = ("mtseg: ", "note: ", "  ")
    lines = []
    for line in text.splitlines():
        start = next((p for p in prefixes if line.startswith(p)), "")
        lines.append(line.removeprefix(start))
    return Answer(code, tuple(lines), text)


def saved_files(folder: Path) -> Mapping[str, bytes]:
    """Return what a user has saved: project, images, labels, runs and weights."""
    return {
        str(file): file.read_bytes()
        for project in folder.glob("*.mtseg")
        for part in ("project.json", "images", "annotations", "runs")
        for file in [project / part, *(project / part).rglob("*")]
        if file.is_file() and not file.name.startswith(".lock")
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_bad_input_gets_one_sentence_and_loses_nothing(row, world, capfd):
    row.prepare(world)
    before = saved_files(world.folder)
    for spoil in world.break_later:
        spoil()
    capfd.readouterr()
    found = answer(world, row.command.split(), capfd)
    world.monkeypatch.undo()
    assert "Traceback" not in found.stderr
    sentence = row.sentence.format(folder=world.folder, **world.names)
    assert sentence in found.lines, found.stderr
    assert (found.code == 0) == row.works
    after = saved_files(world.folder)
    assert after.keys() >= before.keys()
    for name, content in before.items():
        is_log = name.endswith("events.jsonl")
        assert after[name][: len(content) if is_log else None] == content, name
