"""Training: the only loop, for any method, as a generator of events."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mtseg.domain.errors import AnnotationError, MtsegError, RunError
from napari_mtseg.domain.events import (
    CheckpointSaved,
    Event,
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
from napari_mtseg.methods.protocol import Method
from napari_mtseg.networks.window_answer import SliceableImage
from napari_mtseg.storage.checkpoint import load_checkpoint
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import KEPT, START, RunFolder
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.workflows.annotated_places import is_large
from napari_mtseg.workflows.devices import best_device, is_out_of_memory
from napari_mtseg.workflows.learner import Learner
from napari_mtseg.workflows.network_outputs import Predictor, StoppedError
from napari_mtseg.workflows.patch_plan import PatchPlan
from napari_mtseg.workflows.process_group import lost_process
from napari_mtseg.workflows.processes import is_lead, n_processes
from napari_mtseg.workflows.run_writer import RunWriter
from napari_mtseg.workflows.runs import method_of, parent_labels
from napari_mtseg.workflows.training_data import (
    FLOODED,
    load_training_data,
    normalised_pixels,
)
from napari_mtseg.workflows.validation import Validation

FIRST_PREVIEW = 5
"""steps after which a newly looked-at image is predicted, before its regular turn"""


def train(project: Project, run: RunFolder) -> Iterator[Event]:
    """Train a run from its start or from its last checkpoint.

    Every event is appended to the run's ``events.jsonl`` before it is yielded. Not
    asking for the next event stops the training; so does ``stop`` in
    ``control.json``.

    Parameters
    ----------
    project : Project
        The project that the run belongs to.
    run : RunFolder
        Made by :func:`napari_mtseg.workflows.runs.start_run`.

    Yields
    ------
    Event
        What happened, in order.

    Raises
    ------
    MtsegError
        What the user can mend; the run's events end with it as well.
    """
    with run.lock() if is_lead() else nullcontext():
        training = _Training(project, run)
        writer = RunWriter(run)
        try:
            for event in training.events():
                writer.append(event)
                yield event
        except MtsegError as error:
            writer.append(TrainingFailed(step=training.n_steps, message=str(error)))
            raise
        except RuntimeError as error:
            lost = lost_process(error)
            if lost is None:
                raise
            writer.append(TrainingFailed(step=training.n_steps, message=str(lost)))
            raise lost from None


class _Training:
    """The state of one training while it runs."""

    def __init__(self, project: Project, run: RunFolder) -> None:
        self._project = project
        self._run = run
        self._writer = RunWriter(run)
        self._info = run.info
        self._snapshot = load_snapshot(project, run.snapshot_file)
        self._method: Method = method_of(self._info, self._snapshot, project)
        self._stages = self._method.stages()
        self._total = sum(stage.steps for stage in self._stages)
        self._iteration = 0
        self._best: float | None = None
        self._metrics: dict[str, float] = {}
        self._clock = time.monotonic()
        self._learner: Learner | None = None
        self._predictor: Predictor | None = None
        self._predicts_at = -1
        self._previewed_image: str | None = None

    @property
    def n_steps(self) -> int:
        """Steps taken so far."""
        return 0 if self._learner is None else self._learner.n_steps

    def events(self) -> Iterator[Event]:
        """Do the whole training."""
        yield from self._prepared()
        end = 0
        try:
            for index, stage in enumerate(self._stages):
                end += stage.steps
                if self.n_steps > end or (
                    self.n_steps == end and self._grown_after(index)
                ):
                    continue
                yield from self._stage(index, end)
        except StoppedError:
            yield from self._saved()
            yield from self._finished("stopped")
            return
        yield from self._validated(last=True)
        yield from self._saved()
        yield from self._finished("done")

    def _prepared(self) -> Iterator[Event]:
        info = self._info
        data = load_training_data(
            self._project, self._snapshot, self._method, self._run
        )
        if not data.images:
            raise AnnotationError(
                "No training image has anything to learn from. Paint on one, and see "
                f"'mtseg project info {self._project.path.name}'."
            )
        self._data = data
        self._validation = Validation(self._project, self._snapshot, self._method)
        self._learner = Learner(
            self._method,
            seed=info.seed,
            device=best_device(info.device),
            total_steps=self._total,
        )
        self._plan = PatchPlan(self._method, data, self._learner)
        yield from self._restored_or_started()
        yield from self._fitted()
        self._sampler = self._plan.sampler(self._iteration)

    def _restored_or_started(self) -> Iterator[Event]:
        left_behind: tuple[str, ...] = ()
        last = self._run.checkpoint("last")
        if last.exists():
            tensors, state = load_checkpoint(last)
            self._learner_now.restore(tensors, int(state["step"]))
            self._iteration = int(state["iteration"])
            self._plan.batch_size = int(state["batch_size"])
            self._best = state["best"]
            self._metrics = state["metrics"]
            self._data.load_grown(self._run, self._iteration)
        else:
            if self._info.parent is not None:
                left_behind = self._start_from_parent(self._info.parent)
            elif self._info.model is not None:
                weights, _ = load_checkpoint(self._run.checkpoint(START))
                self._learner_now.load_some_weights(weights)
            else:
                self._learner_now.load_some_weights(self._method.first_weights())
            self._data.save_grown(self._run, 0)
        self._writer.forget_after(self.n_steps)
        yield RunStarted(
            method=self._info.method,
            total_steps=self._total,
            device=str(self._learner_now.device),
            resumed_at=self.n_steps,
        )
        for image in left_behind:
            yield Noticed(message=_left_behind(image))

    def _start_from_parent(self, name: str) -> tuple[str, ...]:
        parent = RunFolder(self._project.path / "runs" / name)
        tensors, _ = load_checkpoint(parent.checkpoint("best"))
        try:
            self._learner_now.load_weights(tensors)
        except RuntimeError:
            raise RunError(
                f"The weights of run '{name}' do not fit these settings, or the scenes "
                "of the project have changed. Train with the settings of that run, or "
                "start from new weights."
            ) from None
        return parent_labels(self._project, parent, self._method, self._data)

    def _fitted(self) -> Iterator[Event]:
        notices = [self._plan.fit_to_memory()]
        if self.n_steps == 0:
            notices += [self._plan.memory_sentence(), self._plan.shrunk()]
        if not self._validation.images and self.n_steps == 0:
            notices.append(
                "No validation image is annotated: the weights of the last steps are "
                "kept. Set an annotated image's split to 'validate' to keep the best."
            )
        for message in notices:
            if message is not None:
                yield Noticed(message=message)

    def _stage(self, index: int, end: int) -> Iterator[Event]:
        stage = self._stages[index]
        yield StageStarted(
            name=stage.name, index=index + 1, of=len(self._stages), step=self.n_steps
        )
        while self.n_steps < end:
            self._stop_together_if_asked()
            yield from self._step()
            self._keep_for_ensemble()
            yield from self._previewed()
            settings = self._method.settings
            if self.n_steps % settings.validate_every == 0:
                yield from self._validated()
            if self.n_steps % settings.checkpoint_every == 0 and self.n_steps < end:
                yield from self._saved()
        if stage.grows:
            yield from self._grown()
        yield from self._saved()

    def _step(self) -> Iterator[Event]:
        learner = self._learner_now
        rng = np.random.default_rng([self._info.seed, learner.n_steps])
        try:
            losses = learner.step(self._sampler, rng)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            yield Noticed(message=self._plan.halve())
            torch.cuda.empty_cache()
            self._sampler.batch_size = self._plan.batch_size
            return
        if not np.isfinite(losses["total"]):
            raise AnnotationError(
                f"The loss became {losses['total']} at step {learner.n_steps}. Set a "
                "smaller learning_rate and train again; the last checkpoint is kept."
            )
        yield StepFinished(
            step=learner.n_steps, of=self._total, losses=losses, seconds=self._elapsed()
        )

    def _grown(self) -> Iterator[Event]:
        before = self._data.n_labelled()
        self._data.grow(self._outputs, iteration=self._iteration + 1)
        self._iteration += 1
        files = self._data.save_grown(self._run, self._iteration)
        # Every process grew its share of the images: each now reads the others'.
        self._learner_now.wait_for_all()
        if n_processes() > 1:
            self._data.load_grown(self._run, self._iteration)
        share = self._data.n_labelled() / before - 1 if before else 0.0
        self._sampler = self._plan.sampler(self._iteration)
        yield LabelsGrown(
            step=self.n_steps, iteration=self._iteration, grown_share=share, files=files
        )
        flooded = self._data.newly_flooded()
        if flooded:
            yield Noticed(message=_flooded(flooded))

    def _validated(self, *, last: bool = False) -> Iterator[Event]:
        if not self._validation.images:
            if last:
                self._save_best()
            return
        metrics = self._validation.scores(self._outputs)
        is_best = self._best is None or metrics["score"] > self._best
        if is_best:
            self._best, self._metrics = metrics["score"], metrics
            self._save_best()
        yield ValidationFinished(step=self.n_steps, metrics=metrics, is_best=is_best)

    def _previewed(self) -> Iterator[Event]:
        wanted = self._run.control().current_image
        if not (
            is_lead()
            and wanted is not None
            and self._preview_is_due(wanted)
            and wanted in {e.id for e in self._snapshot.images}
        ):
            return
        is_new = wanted != self._previewed_image
        self._previewed_image = wanted
        entry = self._project.image(wanted)
        if is_large(entry):
            if is_new:
                yield Noticed(message=_no_preview(entry.name))
            return
        pixels = normalised_pixels(self._project, entry, self._method)
        found = self._method.interpret(self._outputs(pixels))
        maps: dict[str, NDArray[Any]] = {
            "classes": found.classes,
            "instances": found.instances,
        }
        file = self._writer.save_preview(wanted, maps)
        yield PreviewReady(step=self.n_steps, image=wanted, file=file)

    def _preview_is_due(self, wanted: str) -> bool:
        """Tell whether it is a regular turn, or another image than before is wanted."""
        every = self._method.settings.preview_every
        is_new = wanted != self._previewed_image
        return self.n_steps % every == 0 or (
            is_new and self.n_steps >= min(FIRST_PREVIEW, every)
        )

    def _saved(self) -> Iterator[Event]:
        state: dict[str, Any] = {
            "step": self.n_steps,
            "iteration": self._iteration,
            "batch_size": self._plan.batch_size,
            "best": self._best,
            "metrics": self._metrics,
        }
        file = self._writer.save("last", self._learner_now.tensors(), state)
        yield CheckpointSaved(step=self.n_steps, file=file)

    def _save_best(self) -> None:
        state = {"step": self.n_steps, "metrics": self._metrics}
        self._writer.save("best", self._learner_now.weights(), state)

    def _keep_for_ensemble(self) -> None:
        steps = kept_steps(self._total, self._method.settings.kept_checkpoints)
        if self.n_steps in steps:
            name = f"{KEPT}-{steps.index(self.n_steps) + 1:02d}"
            self._writer.save(name, self._learner_now.weights(), {"step": self.n_steps})

    def _finished(self, reason: str) -> Iterator[Event]:
        if self._best is None:
            self._save_best()
        metrics = dict(self._metrics)
        if reason == "done" and is_lead():
            self._run.forget_targets()
        self._writer.save_metrics(reason=reason, step=self.n_steps, metrics=metrics)
        yield TrainingFinished(step=self.n_steps, reason=reason, metrics=metrics)

    def _grown_after(self, index: int) -> bool:
        n_growths = sum(stage.grows for stage in self._stages[: index + 1])
        return self._iteration >= n_growths

    def _outputs(self, pixels: SliceableImage) -> dict[str, NDArray[Any]]:
        learner = self._learner_now
        if self._predictor is None or self._predicts_at != learner.n_steps:
            self._predictor = Predictor(
                learner.mean_network,
                device=learner.device,
                memory=self._method.settings.prediction_memory,
                between_windows=self._stop_if_asked if n_processes() == 1 else None,
            )
            self._predicts_at = learner.n_steps
        return self._predictor(pixels)

    def _stop_if_asked(self) -> None:
        if self._run.control().stop:
            raise StoppedError

    def _stop_together_if_asked(self) -> None:
        if self._learner_now.lead_says(self._run.control().stop):
            raise StoppedError

    @property
    def _learner_now(self) -> Learner:
        if self._learner is None:
            raise RuntimeError("the training has not been prepared")
        return self._learner

    def _elapsed(self) -> float:
        now = time.monotonic()
        elapsed, self._clock = now - self._clock, now
        return elapsed


def kept_steps(total: int, n: int) -> tuple[int, ...]:
    """Return the steps after which weights are kept: evenly, to the end of the run.

    ``n`` of them lie in the last third; fewer where it has fewer steps.
    """
    return tuple(
        sorted({total - round(total * i / (3 * n)) for i in range(n)}) if n else ()
    )


def _left_behind(name: str) -> str:
    return (
        f"What '{name}' grew in the earlier run is carried over only at places whose "
        "paint reaches as far as it did: elsewhere it grows from the paint again."
    )


def _no_preview(name: str) -> str:
    return (
        f"'{name}' is too large to be predicted while the network learns. Predict it "
        "with 'mtseg predict' after the training."
    )


def _flooded(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"The labels of {shown}{more} have grown to over {FLOODED:g} times what was "
        "painted. Look at them: where they flood the background, paint a background "
        "stroke, or set a smaller beta."
    )
