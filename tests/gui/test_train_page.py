from types import SimpleNamespace

import numpy as np
import pytest
from psygnal import Signal as Psygnal
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSlider,
    QSpinBox,
    QTableWidget,
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
from napari_mtseg.gui import live_training, train_page
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.train_page import TrainPage
from napari_mtseg.gui.trainer import MethodReadiness, ReadinessReport, TrainRequest
from napari_mtseg.gui.training_choices import TrainingChoices
from napari_mtseg.storage.run_folder import new_run_folder
from napari_mtseg.storage.snapshot import take_snapshot
from tests.tiny_projects import disc_project

RECURSIVE = "recursive_approximation"


class FakeTrainer(QObject):
    """Answers like the trainer, when the test says so."""

    prepared = Signal()
    readiness_changed = Signal(object)
    devices_changed = Signal(object)
    started = Signal(str)
    refused = Signal(str)
    happened = Signal(object)
    ended = Signal(str, str)

    def __init__(self):
        super().__init__()
        self.asked = 0
        self.requests = []
        self.resumed = []
        self.stops = 0
        self.image = None
        self.is_training = False
        self.run_id = None

    def ask_readiness(self, request=None):
        self.asked += 1
        self.asked_for = request

    def train(self, request):
        self.requests.append(request)
        self.is_training = True

    def resume(self, run_id):
        self.resumed.append(run_id)
        self.is_training = True

    def stop(self):
        self.stops += 1

    def look_at(self, image_id):
        self.image = image_id

    def begin(self, run_id):
        self.is_training, self.run_id = True, run_id
        self.started.emit(run_id)

    def end(self, how, sentence=""):
        self.is_training = False
        self.ended.emit(how, sentence)


class FakeEditing:
    changed = Psygnal()

    def __init__(self):
        self.n_flushed = 0

    def flush(self):
        self.n_flushed += 1


class FakeOverlays:
    def __init__(self):
        self.grown = []
        self.maps = []

    def show_grown(self, objects, class_of):
        self.grown.append((objects, dict(class_of)))

    def put_away_grown(self):
        self.grown.clear()

    def show_maps(self, classes, instances):
        self.maps.append((classes, instances))


def report(*, ready=True, recommended=RECURSIVE, asked=None):
    found = MethodReadiness(
        ready=ready,
        problems=() if ready else ("Paint a partial mask.",),
        notices=("No background scribble.",),
    )
    return ReadinessReport(
        summary="3 partial masks on 2 images.",
        methods={RECURSIVE: found, "baseline": found},
        recommended=recommended,
        reason="There are partial masks.",
        asked=asked,
    )


def step(n, of=40, seconds=0.5):
    losses = {"total": 1 / n, "segmentation": 0.5 / n}
    return StepFinished(step=n, of=of, losses=losses, seconds=seconds)


def made_run(project, *, method=RECURSIVE, settings=None, events=(), weights=True):
    run = new_run_folder(
        project.path,
        {
            "method": method,
            "settings": settings or {"steps_per_iteration": 5},
            "seed": 0,
            "device": "cpu",
            "versions": {},
        },
    )
    take_snapshot(project, run.snapshot_file)
    for event in events:
        run.append(event)
    if weights:
        for name in ("best", "last"):
            run.checkpoint(name).parent.mkdir(exist_ok=True)
            run.checkpoint(name).write_bytes(b"")
    return run


STARTED = RunStarted(method=RECURSIVE, total_steps=40, device="cpu", resumed_at=0)
SCORED = ValidationFinished(step=20, metrics={"score": 0.81}, is_best=True)


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=2, full=1)


@pytest.fixture
def window(qtbot, project, monkeypatch):
    said = []
    for module in (live_training, train_page):
        for name in ("show_info", "show_error", "show_warning"):
            if hasattr(module, name):
                monkeypatch.setattr(
                    module, name, lambda text, name=name: said.append((name, text))
                )
    state, trainer = WindowState(), FakeTrainer()
    editing, overlays = FakeEditing(), FakeOverlays()
    page = TrainPage(state, editing, trainer, overlays)
    qtbot.addWidget(page)
    page.resize(340, 700)
    page.show()
    state.open_project(project.path)
    state.page = "train"
    found = SimpleNamespace(
        page=page,
        state=state,
        trainer=trainer,
        editing=editing,
        overlays=overlays,
        said=said,
        get=lambda kind, name: page.findChild(kind, name),
    )
    yield found
    state.close_project()


def button(window, name):
    return window.get(QPushButton, name)


def sentence(window, name):
    return window.get(SentenceLabel, name).sentence


def trains(window, run, *events):
    window.trainer.begin(run.path.name)
    window.trainer.happened.emit(tuple(events))


def test_the_recommended_method_is_chosen_with_the_reason(window):
    window.trainer.readiness_changed.emit(report(recommended="baseline"))
    assert window.get(QComboBox, "method").currentData() == "baseline"
    reason = sentence(window, "method_reason")
    assert reason == "Recommended: There are partial masks."


def test_a_method_chosen_by_hand_stays(window):
    combo = window.get(QComboBox, "method")
    combo.setCurrentIndex(combo.findData("baseline"))
    combo.activated.emit(combo.currentIndex())
    window.trainer.readiness_changed.emit(report())
    assert combo.currentData() == "baseline"
    assert "Recursive approximation is recommended" in (
        sentence(window, "method_reason")
    )


def test_the_paint_is_looked_at_again_after_strokes(window, qtbot):
    qtbot.waitUntil(lambda: window.trainer.asked == 1)
    for _ in range(3):
        window.state.annotation_saved.emit("x")
    qtbot.waitUntil(lambda: window.trainer.asked == 2)


def test_too_little_paint_disables_train_and_links_to_annotate(window):
    window.trainer.readiness_changed.emit(report(ready=False))
    train = button(window, "train")
    assert not train.isEnabled()
    assert train.toolTip() == "Not enough to train: Paint a partial mask."
    button(window, "go_to_annotate").click()
    assert window.state.page == "annotate"
    window.page.train()
    assert window.trainer.requests == []
    assert window.said[-1][0] == "show_warning"


def told_wrong(window, *problems, method=RECURSIVE):
    found = MethodReadiness(ready=not problems, problems=problems)
    window.trainer.readiness_changed.emit(report(asked=(method, found)))


def test_the_child_is_asked_again_when_a_setting_changes(window, qtbot):
    qtbot.waitUntil(lambda: window.trainer.asked == 1)
    window.get(QSpinBox, "setting_iterations").setValue(3)
    qtbot.waitUntil(lambda: window.trainer.asked == 2)
    assert window.trainer.asked_for == TrainRequest(
        method=RECURSIVE, preset="fast", values={"iterations": 3}
    )


def test_settings_that_cannot_be_trained_disable_train_and_are_named_above_it(window):
    told_wrong(window, "pathway=4 needs more levels.", "slices=5 is for 3D.")
    wanted = "pathway=4 needs more levels.\nslices=5 is for 3D."
    assert sentence(window, "train_sentence") == wanted
    train, said = button(window, "train"), window.get(SentenceLabel, "train_sentence")
    assert not train.isEnabled()
    assert train.toolTip() == wanted
    assert not button(window, "go_to_annotate").isVisible()
    window.page.layout().activate()
    assert said.geometry().bottom() < train.geometry().top()
    told_wrong(window)
    assert train.isEnabled()
    assert sentence(window, "train_sentence") == ""


def test_what_the_settings_of_another_method_lack_is_no_matter(window):
    told_wrong(window, "pathway=4 needs more levels.", method="baseline")
    assert button(window, "train").isEnabled()
    assert sentence(window, "train_sentence") == ""


def test_settings_that_need_less_paint_are_not_refused(window):
    nothing = MethodReadiness(ready=True, notices=("Few labels.",))
    window.trainer.readiness_changed.emit(
        report(ready=False, asked=(RECURSIVE, nothing))
    )
    assert button(window, "train").isEnabled()


def test_a_refusal_is_forgotten_when_a_setting_changes(window):
    window.trainer.refused.emit("patch is too large.")
    assert sentence(window, "train_sentence") == "patch is too large."
    window.get(QSpinBox, "setting_iterations").setValue(3)
    assert sentence(window, "train_sentence") == ""


def test_a_refusal_is_scrolled_into_view(window, qtbot):
    area = QScrollArea()
    qtbot.addWidget(area)
    area.setWidgetResizable(True)
    area.setWidget(window.page)
    area.resize(360, 300)
    area.show()
    button(window, "settings_heading").click()
    button(window, "all_settings").click()
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 500)
    window.trainer.refused.emit("These settings do not go together. " * 6)
    said = window.get(SentenceLabel, "train_sentence")
    for widget in (said, button(window, "train")):
        qtbot.waitUntil(lambda w=widget: is_in_view(w))
    area.takeWidget()


def is_in_view(widget):
    seen = widget.visibleRegion().boundingRect()
    return widget.isVisible() and seen == widget.rect()


def test_rows_for_volumes_are_offered_for_volumes_only(qtbot):
    choices = TrainingChoices("high_resolution")
    qtbot.addWidget(choices)
    assert choices.variant.itemText(0) == "None: as the preset"
    assert choices.variant.findData("2.5D") == -1
    choices.variant.setCurrentIndex(choices.variant.findData("HRDN-L1"))
    choices.set_ndim(3)
    assert choices.variant.findData("2.5D") > 0
    assert choices.variant.currentData() == "HRDN-L1"
    choices.variant.setCurrentIndex(choices.variant.findData("2.5D"))
    choices.variant.activated.emit(choices.variant.currentIndex())
    assert choices.form.values()["slices"] == 5
    choices.set_ndim(2)
    assert choices.variant.currentData() is None
    assert choices.form.values() == {}


def test_a_press_on_train_is_answered_at_once_and_saves_first(window, qtbot):
    window.get(QSpinBox, "seed").setValue(7)
    window.get(QRadioButton, "preset_balanced").click()
    train = button(window, "train")
    train.click()
    assert (train.text(), train.isEnabled()) == ("Starting…", False)
    qtbot.waitUntil(lambda: window.trainer.requests != [])
    assert window.editing.n_flushed == 1
    assert window.trainer.requests == [
        TrainRequest(
            method=RECURSIVE,
            preset="balanced",
            values={},
            seed=7,
            device="auto",
            parent=None,
        )
    ]


def test_a_refusal_is_said_and_train_can_be_pressed_again(window, qtbot):
    button(window, "train").click()
    qtbot.waitUntil(lambda: window.trainer.requests != [])
    window.trainer.is_training = False
    window.trainer.refused.emit("No image has a mask.")
    assert "No image has a mask." in sentence(window, "train_sentence")
    assert button(window, "train").isEnabled()


def test_variant_and_changed_settings_travel_with_the_request(window, qtbot):
    combo = window.get(QComboBox, "table_row")
    combo.setCurrentIndex(combo.findData("two tasks"))
    combo.activated.emit(combo.currentIndex())
    window.get(QSpinBox, "setting_iterations").setValue(3)
    window.get(QRadioButton, "preset_paper").click()
    button(window, "train").click()
    qtbot.waitUntil(lambda: window.trainer.requests != [])
    (request,) = window.trainer.requests
    assert request.values == {"separation": "off", "iterations": 3}
    assert request.preset == "paper"


def test_devices_are_offered_by_name(window):
    window.trainer.devices_changed.emit(("cpu", "cuda"))
    combo = window.get(QComboBox, "device")
    texts = [combo.itemText(i) for i in range(combo.count())]
    assert texts == ["Automatic", "CPU", "GPU (CUDA)"]


def test_progress_never_runs_backwards_and_estimates_after_five_seconds(
    window, project
):
    run = made_run(project)
    trains(window, run, STARTED, step(1, seconds=60), step(2), step(3))
    bar, words = (
        window.get(QProgressBar, "training_bar"),
        window.get(QLabel, "training_words"),
    )
    assert (bar.value(), bar.maximum()) == (3, 40)
    assert "left" not in words.text()
    stage = StageStarted(name="iteration 2 of 8", index=2, of=8, step=3)
    window.trainer.happened.emit((stage, *[step(n) for n in range(4, 21)], step(18)))
    assert bar.value() == 20
    assert words.text() == "Iteration 2 of 8: step 20 of 40, about 10 s left"


def test_train_says_that_a_training_runs(window, project):
    trains(window, made_run(project), STARTED)
    train = button(window, "train")
    assert not train.isEnabled()
    assert train.toolTip() == "A training is running. Stop it, or wait until it ends."


def test_stop_is_answered_at_once_and_offers_to_resume(window, project):
    run = made_run(project)
    trains(window, run, STARTED, step(1))
    stop = button(window, "stop_training")
    stop.click()
    assert (stop.text(), stop.isEnabled()) == ("Stopping…", False)
    assert window.trainer.stops == 1
    window.trainer.end("stopped", "Stopped at step 1.")
    assert "Stopped at step 1." in sentence(window, "outcome_sentence")
    resume = button(window, "outcome_resume")
    assert resume.isVisible()
    resume.click()
    assert window.trainer.resumed == [run.path.name]
    assert button(window, "train").text() == "Resuming…"


def test_a_resumed_run_keeps_its_curves_up_to_where_it_goes_on(window, project):
    run = made_run(project)
    trains(window, run, STARTED, *[step(n) for n in range(1, 11)])
    window.trainer.end("stopped", "Stopped.")
    again = RunStarted(method=RECURSIVE, total_steps=40, device="cpu", resumed_at=5)
    trains(window, run, again, step(6))
    assert window.page._view.curves._losses["total"].x == [1, 2, 3, 4, 5, 6]
    assert window.get(QProgressBar, "training_bar").value() == 6


def test_the_end_tells_the_figure_and_the_next_steps(window, project, qtbot):
    end = TrainingFinished(step=40, reason="done", metrics={"score": 0.81})
    trains(window, made_run(project), STARTED, step(40), SCORED, end)
    window.trainer.end("done")
    wanted = (
        "The training is done: validation Dice 0.81 after 40 steps. Review the "
        "results, or export the model."
    )
    assert window.said == [("show_info", wanted)]
    assert button(window, "train").isEnabled()
    button(window, "outcome_review").click()
    assert window.state.page == "review"
    button(window, "outcome_export").click()
    assert window.state.page == "export"


def test_a_failure_is_a_sentence_with_the_log_one_click_away(window, project, qtbot):
    run = made_run(project)
    (run.path / "log.txt").write_text("Traceback: what went wrong\n")
    sentence = "The GPU is full. Set a smaller patch and try again."
    trains(window, run, STARTED, step(1), TrainingFailed(step=1, message=sentence))
    window.trainer.end("failed", sentence)
    assert window.said == [("show_error", sentence)]
    button(window, "outcome_log").click()
    log = window.page._view.log.text
    qtbot.waitUntil(lambda: "what went wrong" in log.toPlainText())
    assert sentence in log.toPlainText()
    button(window, "outcome_again").click()
    qtbot.waitUntil(lambda: len(window.trainer.requests) == 1)


def test_a_run_that_failed_before_its_first_checkpoint_offers_no_resume(
    window, project
):
    trains(window, made_run(project, weights=False), STARTED)
    window.trainer.end("failed", "The image is gone. Put it back.")
    assert button(window, "outcome_again").isVisible()
    assert not button(window, "outcome_resume").isVisible()


def test_many_events_at_once_all_arrive(window, project, qtbot):
    events = [step(n, of=5000) for n in range(1, 5001)]
    trains(window, made_run(project), STARTED, *events)
    window.trainer.end("stopped", "Stopped.")
    bar = window.get(QProgressBar, "training_bar")
    qtbot.waitUntil(lambda: bar.value() == 5000)
    outcome = window.get(SentenceLabel, "outcome_sentence")
    qtbot.waitUntil(lambda: outcome.isVisible())


def grown_run(project, n_iterations=3):
    run = made_run(project)
    entry = project.images[1]
    masks = project.annotation(entry).partial
    rows = np.argwhere(masks.objects)
    for iteration in range(n_iterations + 1):
        objects = np.zeros_like(masks.objects)
        low, high = rows.min(axis=0) - iteration, rows.max(axis=0) + 1 + iteration
        objects[low[0] : high[0], low[1] : high[1]] = 1
        run.save_grown(iteration, entry.id, objects)
    return run, entry


def growth(n):
    return LabelsGrown(step=n * 5, iteration=n, grown_share=0.2, files={})


def test_growth_follows_the_newest_unless_the_user_went_back(window, project, qtbot):
    run, entry = grown_run(project)
    window.state.image_id = entry.id
    trains(window, run, STARTED, growth(1))
    qtbot.waitUntil(lambda: len(window.overlays.grown) == 1)
    objects, class_of = window.overlays.grown[-1]
    assert np.array_equal(objects, run.load_grown(1, entry.id))
    assert class_of == {1: 1}
    slider = window.get(QSlider, "growth_slider")
    window.trainer.happened.emit((growth(2),))
    assert (slider.value(), slider.maximum()) == (2, 2)
    slider.setValue(0)
    window.trainer.happened.emit((growth(3),))
    assert (slider.value(), slider.maximum()) == (0, 3)
    painted = run.load_grown(0, entry.id)
    qtbot.waitUntil(
        lambda: np.array_equal(window.overlays.grown[-1][0], painted), timeout=2000
    )
    assert window.get(QLabel, "growth_place").text() == "Growth 0 of 3"


def test_growth_is_scored_where_full_masks_are(window, project, qtbot):
    run = made_run(project)
    entry = project.images[0]
    full = project.annotation(entry).full.objects
    run.save_grown(0, entry.id, np.where(full, full, 0))
    run.save_grown(1, entry.id, full)
    window.state.image_id = entry.id
    trains(window, run, STARTED, growth(1))
    dice = window.get(QLabel, "growth_dice")
    qtbot.waitUntil(lambda: dice.text() == "Dice 1.00")
    assert "disc: 1.000" in dice.toolTip()


def test_an_image_that_does_not_grow_says_so(window, project, qtbot):
    run, entry = grown_run(project)
    window.state.image_id = entry.id
    trains(window, run, STARTED, growth(1))
    window.state.image_id = project.images[0].id
    note = window.get(SentenceLabel, "growth_note")
    qtbot.waitUntil(lambda: "Nothing grows" in note.sentence)


def test_a_large_image_that_grows_in_parts_says_so(window, project, qtbot):
    run, entry = grown_run(project)
    other = project.images[0]
    part = f"{other.id}.y0-2_x0-2"
    for iteration in (0, 1):
        run.save_grown(iteration, part, np.ones((2, 2), np.uint32))
    window.state.image_id = entry.id
    trains(window, run, STARTED, growth(1))
    window.state.image_id = other.id
    note = window.get(SentenceLabel, "growth_note")
    qtbot.waitUntil(lambda: note.sentence.startswith("The labels of this large image"))


def test_previews_of_the_current_image_are_shown(window, project, qtbot):
    run = made_run(project)
    first, second = project.images
    maps = {"classes": np.ones((4, 4), np.uint8), "instances": np.ones((4, 4), "u4")}
    events = []
    for entry in (first, second):
        file = run.save_preview(entry.id, maps)
        events.append(PreviewReady(step=20, image=entry.id, file=file))
    window.state.image_id = first.id
    trains(window, run, STARTED, events[0], events[1])
    assert window.trainer.image == first.id
    qtbot.waitUntil(lambda: len(window.overlays.maps) == 1)
    window.state.image_id = second.id
    assert window.trainer.image == second.id
    qtbot.waitUntil(lambda: len(window.overlays.maps) == 2)


def test_what_the_training_notices_is_said(window, project):
    trains(window, made_run(project), STARTED, Noticed(message="The batch is halved."))
    assert "The batch is halved." in sentence(window, "training_notice")


def test_earlier_runs_are_listed_and_looked_at(window, project, qtbot):
    done = TrainingFinished(step=40, reason="done", metrics={"score": 0.81})
    run = made_run(project, events=[STARTED, step(1), step(40), SCORED, done])
    broken = made_run(project)
    (broken.path / "run.json").write_text("{")
    window.state.runs_changed.emit()
    table = window.get(QTableWidget, "run_table")
    qtbot.waitUntil(lambda: table.rowCount() == 2)
    button(window, "earlier_runs_heading").click()
    table.selectRow(1)
    assert window.state.run_id == run.path.name
    outcome = window.get(SentenceLabel, "outcome_sentence")
    qtbot.waitUntil(lambda: "validation Dice 0.81" in outcome.sentence)
    assert window.said == []
    assert button(window, "run_train_on").isEnabled()
    assert not button(window, "run_resume").isEnabled()
    table.selectRow(0)
    assert "damaged" in sentence(window, "run_note")


def test_a_run_can_be_trained_on_and_resumed(window, project, qtbot):
    stopped = TrainingFinished(step=5, reason="stopped", metrics={})
    run = made_run(project, method="baseline", events=[STARTED, step(5), stopped])
    window.state.runs_changed.emit()
    table = window.get(QTableWidget, "run_table")
    qtbot.waitUntil(lambda: table.rowCount() == 1)
    table.selectRow(0)
    button(window, "run_train_on").click()
    assert window.get(QComboBox, "method").currentData() == "baseline"
    assert window.get(QComboBox, "start_from").currentData() == run.path.name
    button(window, "train").click()
    qtbot.waitUntil(lambda: window.trainer.requests != [])
    assert window.trainer.requests[0].parent == run.path.name
    window.trainer.is_training = False
    window.trainer.refused.emit("No.")
    button(window, "run_resume").click()
    assert window.trainer.resumed == [run.path.name]


def test_another_page_chooses_the_run_to_start_from(window, project, qtbot):
    run = made_run(project, method="baseline", settings={"levels": 3})
    window.state.start_from = run.path.name
    window.state.runs_changed.emit()
    start = window.get(QComboBox, "start_from")
    qtbot.waitUntil(lambda: start.currentData() == run.path.name)
    assert window.get(QComboBox, "method").currentData() == "baseline"
    assert window.page._choices.request().values["levels"] == 3
    assert window.state.start_from is None
    start.setCurrentIndex(0)
    window.state.start_from = run.path.name
    assert start.currentData() == run.path.name


def test_the_duration_is_estimated_from_a_run_of_the_same_size(window, project, qtbot):
    settings = window.page._choices.settings()
    events = [STARTED, step(1, seconds=99), step(2, seconds=3), step(3, seconds=3)]
    label = window.get(SentenceLabel, "estimate")
    assert label.sentence == "no estimate yet"
    made_run(project, settings=settings, events=events)
    window.state.runs_changed.emit()
    qtbot.waitUntil(lambda: label.sentence == "about 2 min")
    window.get(QSpinBox, "setting_iterations").setValue(3)
    assert label.sentence == "no estimate yet"


def test_another_project_begins_afresh(window, tmp_path, qtbot):
    window.trainer.readiness_changed.emit(report(ready=False))
    (tmp_path / "b").mkdir()
    other = disc_project(tmp_path / "b", n_images=1)
    window.state.open_project(other.path)
    assert not window.page._view.isVisible()
    assert window.page._why_not() == ""


def test_the_page_fits_the_dock(window, project, qtbot):
    area = QScrollArea()
    qtbot.addWidget(area)
    area.setWidgetResizable(True)
    area.setWidget(window.page)
    area.resize(360, 700)
    area.show()
    run, entry = grown_run(project)
    window.state.image_id = entry.id
    window.trainer.readiness_changed.emit(report())
    trains(
        window,
        run,
        STARTED,
        step(1),
        growth(1),
        SCORED,
        CheckpointSaved(step=1, file="x"),
    )
    button(window, "settings_heading").click()
    button(window, "all_settings").click()
    assert window.page.minimumSizeHint().width() <= 340
    assert area.horizontalScrollBar().maximum() == 0
    # It would be deleted with the area, before the project is closed.
    area.takeWidget()
