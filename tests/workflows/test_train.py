import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_mtseg.domain.annotation import Tags, empty_annotation
from napari_mtseg.domain.errors import (
    AnnotationError,
    MtsegError,
    RunError,
    SettingsError,
)
from napari_mtseg.domain.events import (
    CheckpointSaved,
    LabelsGrown,
    Noticed,
    PreviewReady,
    RunStarted,
    StageStarted,
    StepFinished,
    TrainingFailed,
    TrainingFinished,
    ValidationFinished,
)
from napari_mtseg.methods.catalog import CATALOG, load_method, settings_model
from napari_mtseg.storage.checkpoint import load_checkpoint
from napari_mtseg.storage.class_edits import add_scene
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import Control, RunFolder, find_run
from napari_mtseg.workflows import learner as learner_module
from napari_mtseg.workflows.predict import load_model
from napari_mtseg.workflows.runs import check_classes, start_run, task_of
from napari_mtseg.workflows.train import FIRST_PREVIEW, train
from tests.tiny_projects import TINY, disc_project

METHODS = tuple(CATALOG)


def settings_for(method, **values):
    if method == "recursive_approximation":
        steps = values.pop("steps", 6)
        values = {"iterations": 2, "steps_per_iteration": max(steps // 2, 1), **values}
    else:
        values = {"steps": 6, **values}
    if method == "high_resolution":
        values = {"pathway": 1, "pathway_width": 4, **values}
    if method == "task_decomposition":
        random = {"encoder_weights": "none", "norm": "batch", "low_memory": True}
        values = {"levels": 6, "width": 8, "hidden": 8, **random, **values}
    if method == "cross_task":
        small = {"optimizer": "adam", "schedule": "constant", "adversary_channels": 2}
        small |= {"passes": 2, "dropout": 0.05, "steepness": 50.0, "decoders": 1}
        values = {"entropy": "on", **small, **values}
    return {**TINY, **values}


def trained(project, method, **values):
    run, _ = start_run(project, method, settings_for(method, **values), device="cpu")
    return run, list(train(project, run))


def of_type(events, kind):
    return [event for event in events if isinstance(event, kind)]


def facts(events):
    """Return what must repeat: everything but wall times and how the run began."""
    kept = []
    for event in events:
        if isinstance(event, StepFinished):
            kept.append((event.step, event.losses))
        elif isinstance(event, LabelsGrown):
            kept.append((event.iteration, event.grown_share))
        elif isinstance(event, ValidationFinished):
            kept.append((event.step, event.metrics, event.is_best))
    return kept


@pytest.mark.parametrize("method", METHODS)
def test_a_method_halves_its_loss_on_one_tiny_image(tmp_path, method):
    project = disc_project(tmp_path, n_images=1, full=1)
    quick = {"steps": 60, "learning_rate": 5e-3}
    if method == "cross_task":
        # Without residuals or joined skips, four channels learn too slowly.
        quick = {"steps": 40, "learning_rate": 2e-2, "base_channels": 8}
    _, events = trained(project, method, **quick)
    losses = [event.losses["total"] for event in of_type(events, StepFinished)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_on_volumes(tmp_path, method):
    project = disc_project(tmp_path, n_images=2, full=1, ndim=3)
    _, events = trained(project, method, steps=2)
    assert of_type(events, TrainingFinished)[0].reason == "done"


def test_events_come_in_order_and_are_kept_in_the_run_folder(tmp_path):
    project = disc_project(tmp_path)
    run, events = trained(project, "recursive_approximation", steps=4)
    kinds = [type(event) for event in events if not isinstance(event, Noticed)]
    stage = [StageStarted, StepFinished, StepFinished, LabelsGrown, CheckpointSaved]
    assert kinds == [RunStarted, *stage, *stage, CheckpointSaved, TrainingFinished]
    assert list(run.events()) == events
    assert [e.step for e in of_type(events, StepFinished)] == [1, 2, 3, 4]


def test_grown_labels_of_every_iteration_are_kept_and_never_shrink(tmp_path):
    project = disc_project(tmp_path)
    run, events = trained(project, "recursive_approximation", steps=4)
    files = of_type(events, LabelsGrown)[-1].files
    assert all((run.path / name).exists() for name in files.values())
    for image_id in files:
        labels = [run.load_grown(i, image_id) for i in range(3)]
        for before, after in pairwise(labels):
            assert (after[before > 0] == before[before > 0]).all()


def test_labels_that_flood_are_named_once(tmp_path, monkeypatch):
    project = disc_project(tmp_path, n_images=2)

    def flood(self, annotation, outputs, *, iteration):
        objects = np.full_like(annotation.partial.objects, 1)
        masks = type(annotation.partial)(objects=objects, class_of={1: 1})
        return replace(annotation, partial=masks)

    method = load_method("recursive_approximation")
    monkeypatch.setattr(method, "grow", flood)
    _, events = trained(project, "recursive_approximation", steps=4)
    told = [e.message for e in of_type(events, Noticed) if "have grown" in e.message]
    assert told == [
        "The labels of 'disc_1.tif' have grown to over 6 times what was painted. Look "
        "at them: where they flood the background, paint a background stroke, or set a "
        "smaller beta."
    ]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    project = disc_project(tmp_path)
    runs = [
        start_run(
            project, "baseline", settings_for("baseline"), seed=seed, device="cpu"
        )
        for seed in (3, 3, 4)
    ]
    first, same, other = (facts(train(project, run)) for run, _ in runs)
    assert first == same
    assert first != other


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_events", [3, 7, 9])
def test_a_run_that_was_left_goes_on_as_if_it_had_not_been(tmp_path, method, n_events):
    project = disc_project(tmp_path, validate=1)
    values = {"checkpoint_every": 2, "validate_every": 3}
    whole, events = trained(project, method, **values)
    cut, _ = start_run(project, method, settings_for(method, **values), device="cpu")
    begun = train(project, cut)
    for _ in range(n_events):
        next(begun)
    begun.close()
    list(train(project, cut))
    assert facts(cut.events()) == facts(events)
    assert_same_weights(cut, whole)


@pytest.mark.slow
def test_a_killed_process_is_resumed_bit_for_bit(tmp_path):
    """Kill -9 at a random step: weights, losses and grown labels end up the same."""
    project = disc_project(tmp_path, validate=1)
    values = settings_for(
        "recursive_approximation", steps=40, checkpoint_every=3, validate_every=7
    )
    whole, _ = start_run(project, "recursive_approximation", values, device="cpu")
    killed, _ = start_run(project, "recursive_approximation", values, device="cpu")
    train_in_process(project, whole).wait(timeout=120)
    process = train_in_process(project, killed)
    kill_after(process, killed, n_steps=random.randint(2, 35))
    assert not killed.path.joinpath("metrics.json").exists()
    assert train_in_process(project, killed).wait(timeout=120) == 0
    assert facts(killed.events()) == facts(whole.events())
    assert_same_weights(killed, whole)
    for entry in project.images:
        first, second = killed.load_grown(2, entry.id), whole.load_grown(2, entry.id)
        assert np.array_equal(first, second)


def train_in_process(project, run):
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from napari_mtseg.storage.project import Project\n"
        "from napari_mtseg.storage.run_folder import RunFolder\n"
        "from napari_mtseg.workflows.train import train\n"
        "for _ in train(Project.open(Path(sys.argv[1])), RunFolder(Path(sys.argv[2]))):"
        " pass\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(project.path), str(run.path)]
    )


def kill_after(process, run, *, n_steps):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(of_type(run.events(), StepFinished)) >= n_steps:
            break
        if process.poll() is not None:
            raise RuntimeError("the training ended before it could be killed")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def assert_same_weights(first: RunFolder, second: RunFolder):
    for name in ("last", "best"):
        ours, our_state = load_checkpoint(first.checkpoint(name))
        theirs, their_state = load_checkpoint(second.checkpoint(name))
        assert our_state == their_state
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_stop_in_the_control_file_ends_the_run_and_resume_goes_on(tmp_path):
    project = disc_project(tmp_path)
    run, _ = start_run(project, "baseline", settings_for("baseline"), device="cpu")
    events = []
    for event in train(project, run):
        events.append(event)
        if isinstance(event, StepFinished) and event.step == 2:
            run.set_control(Control(stop=True))
    assert events[-1] == TrainingFinished(step=2, reason="stopped", metrics={})
    assert run.checkpoint("best").exists()
    run.set_control(Control())
    rest = list(train(project, run))
    assert of_type(rest, RunStarted)[0].resumed_at == 2
    assert rest[-1].reason == "done"
    assert [e.step for e in of_type(run.events(), StepFinished)] == [1, 2, 3, 4, 5, 6]


def test_targets_are_kept_while_a_run_lasts_and_not_computed_again(
    tmp_path, monkeypatch
):
    project = disc_project(tmp_path)
    run, _ = start_run(project, "baseline", settings_for("baseline"), device="cpu")
    for event in train(project, run):
        if isinstance(event, StepFinished) and event.step == 2:
            run.set_control(Control(stop=True))
    kept = {folder.name for folder in (run.path / "targets").iterdir()}
    assert kept == {e.id for e in project.images if e.split == "train"}
    run.set_control(Control())
    monkeypatch.setattr(load_method("baseline"), "targets", None)
    events = list(train(project, run))
    assert of_type(events, TrainingFinished)[0].reason == "done"
    assert not (run.path / "targets").exists()


def test_the_best_weights_on_validation_images_are_kept(tmp_path):
    project = disc_project(tmp_path, validate=1)
    run, events = trained(project, "baseline", steps=8, validate_every=2)
    scores = [e.metrics["score"] for e in of_type(events, ValidationFinished)]
    _, state = load_checkpoint(run.checkpoint("best"))
    assert state["metrics"]["score"] == max(scores)
    assert events[-1].metrics["score"] == max(scores)


def test_without_validation_images_the_user_is_told_and_the_last_weights_kept(tmp_path):
    project = disc_project(tmp_path)
    run, events = trained(project, "baseline")
    assert of_type(events, Noticed)[-1].message == (
        "No validation image is annotated: the weights of the last steps are kept. Set "
        "an annotated image's split to 'validate' to keep the best."
    )
    assert load_checkpoint(run.checkpoint("best"))[1]["step"] == 6


def test_the_current_image_is_predicted_while_training(tmp_path):
    project = disc_project(tmp_path)
    run, _ = start_run(
        project, "baseline", settings_for("baseline", preview_every=2), device="cpu"
    )
    wanted = project.images[0].id
    run.set_control(Control(current_image=wanted))
    previews = of_type(train(project, run), PreviewReady)
    assert [p.step for p in previews] == [2, 4, 6]
    with np.load(run.path / previews[-1].file) as maps:
        assert maps["classes"].shape == project.images[0].spatial_shape


def test_an_image_newly_looked_at_is_predicted_before_its_turn(tmp_path):
    project = disc_project(tmp_path)
    values = settings_for("baseline", steps=12, preview_every=1000)
    run, _ = start_run(project, "baseline", values, device="cpu")
    first, second = (entry.id for entry in project.images[:2])
    run.set_control(Control(current_image=first))
    previews = []
    for event in train(project, run):
        if isinstance(event, StepFinished) and event.step == 8:
            run.set_control(Control(current_image=second))
        if isinstance(event, PreviewReady):
            previews.append((event.step, event.image))
    assert previews == [(FIRST_PREVIEW, first), (8, second)]


def test_running_out_of_memory_halves_the_batch_and_goes_on(tmp_path, monkeypatch):
    project = disc_project(tmp_path)
    step = learner_module.Learner.step

    def hungry(self, sampler, rng):
        if sampler.batch_size > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, sampler, rng)

    monkeypatch.setattr(learner_module.Learner, "step", hungry)
    _, events = trained(project, "baseline")
    messages = [e.message for e in of_type(events, Noticed)]
    assert (
        "The memory does not hold 2 patches at once: training goes on with 1 patch "
        "per step." in messages
    )
    assert events[-1].reason == "done"


def test_painting_after_the_start_does_not_change_a_run(tmp_path):
    project = disc_project(tmp_path)
    values = settings_for("baseline")
    first, _ = start_run(project, "baseline", values, device="cpu")
    second, _ = start_run(project, "baseline", values, device="cpu")
    before = facts(train(project, first))
    entry = project.images[1]
    annotation = project.annotation(entry)
    painted = annotation.partial.objects.copy()
    painted[:4, :4] = 1
    project.save_annotation(
        entry,
        type(annotation)(
            **{
                **vars(annotation),
                "partial": type(annotation.partial)(
                    objects=painted, class_of={1: 1, **annotation.partial.class_of}
                ),
            }
        ),
    )
    assert facts(train(project, second)) == before


def test_training_on_from_a_run_keeps_its_growth_except_where_the_user_edited(tmp_path):
    project = disc_project(tmp_path, n_discs=2)
    parent, _ = trained(project, "recursive_approximation", steps=40, beta=2.0)
    entry = next(e for e in project.images if project.annotation(e).has_partial)
    annotation = project.annotation(entry)
    edited = int(annotation.partial.objects.max())
    painted = annotation.partial.objects.copy()
    where = np.argwhere(painted == edited)[0]
    painted[tuple(where)] = 0
    partial = type(annotation.partial)(
        objects=painted, class_of=annotation.partial.class_of
    )
    project.save_annotation(
        entry, type(annotation)(**{**vars(annotation), "partial": partial})
    )
    child, _ = start_run(
        project,
        "recursive_approximation",
        settings_for("recursive_approximation", steps=2),
        device="cpu",
        parent=parent.path.name,
    )
    next(train(project, child))
    start = child.load_grown(0, entry.id)
    grown = parent.load_grown(2, entry.id)
    assert np.array_equal(start == edited, painted == edited)
    other = 1 if edited != 1 else 2
    kept = (grown == other) & (painted == 0)
    kept[tuple(where)] = False
    assert (start[kept] == other).all()


def test_a_failed_run_says_why_in_its_events(tmp_path):
    project = disc_project(tmp_path)
    run, _ = start_run(project, "baseline", settings_for("baseline"), device="cpu")
    project.source_path(project.images[0]).unlink()
    with pytest.raises(MtsegError, match="is missing"):
        list(train(project, run))
    assert "is missing" in of_type(run.events(), TrainingFailed)[0].message


def test_two_processes_cannot_train_the_same_run(tmp_path):
    project = disc_project(tmp_path)
    run, _ = start_run(project, "baseline", settings_for("baseline"), device="cpu")
    with run.lock(), pytest.raises(MtsegError, match="already being written"):
        next(train(project, run))


def test_a_loss_that_is_no_number_ends_the_run_with_one_sentence(tmp_path, monkeypatch):
    project = disc_project(tmp_path)
    step = learner_module.Learner.step

    def diverging(self, sampler, rng):
        losses = step(self, sampler, rng)
        return {**losses, "total": float("nan")} if self.n_steps == 3 else losses

    monkeypatch.setattr(learner_module.Learner, "step", diverging)
    run, _ = start_run(project, "baseline", settings_for("baseline"), device="cpu")
    with pytest.raises(AnnotationError) as error:
        list(train(project, run))
    assert str(error.value) == (
        "The loss became nan at step 3. Set a smaller learning_rate and train again; "
        "the last checkpoint is kept."
    )


def test_nothing_painted_is_refused_before_a_run_is_made(tmp_path):
    project = disc_project(tmp_path, painted=False)
    with pytest.raises(AnnotationError) as error:
        start_run(project, "baseline", settings_for("baseline"), device="cpu")
    assert str(error.value) == (
        "Nothing is painted on the training images. Paint at least one object and some "
        "background."
    )
    assert not (project.path / "runs").exists()


def test_an_unknown_device_is_refused(tmp_path):
    project = disc_project(tmp_path)
    with pytest.raises(SettingsError, match="Device 'tpu' is not known"):
        start_run(project, "baseline", settings_for("baseline"), device="tpu")


def test_a_run_can_be_found_and_repeated_from_its_snapshot(tmp_path):
    project = disc_project(tmp_path)
    run, events = trained(project, "baseline")
    again = Project.open(project.path)
    found = find_run(again.path, None)
    assert found.path == run.path
    assert found.info.settings["steps"] == 6
    assert of_type(events, RunStarted)[0].total_steps == 6


@pytest.mark.slow
def test_two_processes_with_one_patch_each_go_on_beside_an_adversary(tmp_path):
    """What a process draws decides which losses it has; all must have the same."""
    project = disc_project(tmp_path, n_images=2, full=1)
    values = settings_for("cross_task", steps=4, batch_size=2)
    run, _ = start_run(project, "cross_task", values, device="cpu")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    arguments = ["train", str(project.path), "--resume", run.path.name]
    subprocess.run(
        [sys.executable, "-m", *torchrun, "napari_mtseg.cli.main", *arguments],
        check=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    steps = of_type(run.events(), StepFinished)
    assert [event.step for event in steps] == [1, 2, 3, 4]
    assert {"adversary", "misleading"} <= set(steps[-1].losses)


def renamed(project, *names):
    classes = [{"name": name, "colour": "#e69f00"} for name in names]
    project.update_info(project.info.changed({"classes": classes}))
    return project


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (("disc",), ("disc", "ring")),
        (("disc", "ring"), ("ring", "disc")),
        (("disc", "ring"), ("ring", "new")),
    ],
)
def test_a_run_of_other_classes_is_refused(tmp_path, before, now):
    project = renamed(disc_project(tmp_path), *before)
    run, _ = trained(project, "baseline", steps=1)
    with pytest.raises(RunError) as error:
        check_classes(run.info, renamed(project, *now))
    assert str(error.value) == (
        f"Run '{run.info.id}' was trained for the classes {', '.join(before)}, but the "
        f"project now has {', '.join(now)}. Start a new run."
    )


def test_a_renamed_class_is_still_the_class_of_the_run(tmp_path):
    project = disc_project(tmp_path)
    run, _ = trained(project, "baseline", steps=1)
    check_classes(run.info, renamed(project, "nucleus"))


def test_each_stage_has_its_own_learning_rate(tmp_path, monkeypatch):
    project = disc_project(tmp_path, n_images=2, full=2)
    rates = []
    step = learner_module.Learner.step

    def noted(self, sampler, rng):
        losses = step(self, sampler, rng)
        rates.append(self._optimizer.param_groups[0]["lr"])
        return losses

    monkeypatch.setattr(learner_module.Learner, "step", noted)
    trained(project, "task_decomposition", steps=6, learning_rate=0.01)
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.002, 0.002])


def test_stages_are_named_as_they_begin(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    _, events = trained(project, "task_decomposition", steps=6)
    assert [(e.name, e.index, e.step) for e in of_type(events, StageStarted)] == [
        ("stage 1 of 3: segmentation and classes", 1, 0),
        ("stage 2 of 3: segmentation and classes in step", 2, 2),
        ("stage 3 of 3: segmentation and classes in step", 3, 4),
    ]
    losses = [set(e.losses) for e in of_type(events, StepFinished)]
    assert all("synchronisation" not in names for names in losses[:2])
    assert all("synchronisation" in names for names in losses[2:])


def test_images_with_a_scene_alone_teach_the_scene(tmp_path):
    project = disc_project(tmp_path, n_images=3, full=1)
    add_scene(project, "dark")
    add_scene(project, "bright")
    first, second, third = project.images
    painted = project.annotation(first)
    project.save_annotation(first, replace(painted, tags=Tags(scene=0)))
    for entry in (second, third):
        nothing = empty_annotation(entry.spatial_shape)
        project.save_annotation(entry, replace(nothing, tags=Tags(scene=1)))
    run, events = trained(project, "task_decomposition", steps=6)
    assert run.info.settings["scenes"] == "on"
    assert of_type(events, StageStarted)[-1].name == (
        "stage 3 of 3: segmentation, scene and classes in step"
    )
    losses = [event.losses for event in of_type(events, StepFinished)]
    assert losses[-1]["scene"] > 0
    answer = load_model(run).predict(project.read_pixels(third)[0])
    assert len(answer.scenes) == 2
    assert sum(answer.scenes) == pytest.approx(1, abs=1e-5)
    assert set(answer.present) == {1}


def test_a_run_says_what_its_method_decided(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    settings = settings_for("task_decomposition")
    run, notices = start_run(project, "task_decomposition", settings, device="cpu")
    assert run.info.settings["class_weighting"] == "off"
    assert (
        "Scenes are not learned: no image is tagged with a scene among the training "
        "images, and it takes two. The third stage goes on with what the second learns."
    ) in notices


def test_a_scene_that_is_added_later_leaves_a_run_as_it_was(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    for scene, entry in enumerate(project.images):
        add_scene(project, f"scene {scene}")
        painted = project.annotation(entry)
        project.save_annotation(entry, replace(painted, tags=Tags(scene=scene)))
    run, _ = trained(project, "task_decomposition", steps=3)
    add_scene(project, "later")
    answer = load_model(run).predict(project.read_pixels(project.images[0])[0])
    assert len(answer.scenes) == 2


def test_weights_of_other_settings_are_refused_in_a_sentence(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    parent, _ = trained(project, "baseline", steps=2)
    settings = settings_for("baseline", base_channels=6)
    run, _ = start_run(project, "baseline", settings, parent=parent.path.name)
    with pytest.raises(RunError) as error:
        list(train(project, run))
    assert str(error.value).startswith(
        f"The weights of run '{parent.path.name}' do not fit these settings"
    )


def test_weights_that_lack_a_part_of_the_network_are_refused(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    few = {"classes": False, "synchronise": False, "decoder": "unet"}
    parent, _ = trained(project, "task_decomposition", steps=2, context=False, **few)
    settings = settings_for("task_decomposition", context=True, **few)
    run, _ = start_run(project, "task_decomposition", settings, parent=parent.path.name)
    with pytest.raises(RunError, match="do not fit these settings"):
        list(train(project, run))


def test_a_part_of_the_weights_leaves_the_others_as_drawn(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    settings = settings_model("baseline").checked(settings_for("baseline"))
    method = load_method("baseline")(settings, task_of(project, project.images))
    made = learner_module.Learner(
        method, seed=0, device=torch.device("cpu"), total_steps=2
    )
    before = {k: v.clone() for k, v in made.network.state_dict().items()}
    name = "heads.segmentation.bias"
    made.load_some_weights({name: torch.ones_like(before[name])})
    for key, value in made.weights().items():
        assert torch.equal(
            value, torch.ones_like(value) if key == name else before[key]
        )
    with pytest.raises(RuntimeError):
        made.load_some_weights({"heads.other.bias": torch.ones(1)})


def test_weights_of_before_heads_had_names_are_taken(tmp_path):
    project = disc_project(tmp_path, n_images=2, full=2)
    settings = settings_model("baseline").checked(settings_for("baseline"))
    method = load_method("baseline")(settings, task_of(project, project.images))
    made = learner_module.Learner(
        method, seed=0, device=torch.device("cpu"), total_steps=2
    )
    old = {
        name.replace("heads.segmentation.", "head."): torch.full_like(weight, 2)
        for name, weight in made.weights().items()
    }
    made.load_weights(old)
    assert (made.weights()["heads.segmentation.bias"] == 2).all()
