"""What happened in a training, told to people: a sentence per event that matters."""

from napari_mtseg.domain import events


def sentence_of(event: events.Event) -> str:
    """Return an event as one sentence, or nothing where it matters only as progress.

    Steps, stages, previews and checkpoints are progress; how a run began is told by
    :func:`beginning_of`.
    """
    if isinstance(event, events.Noticed):
        return f"note: {event.message}"
    if isinstance(event, events.LabelsGrown):
        n = len(event.files)
        return (
            f"labels grown, iteration {event.iteration}: {event.grown_share:+.0%} "
            f"on {n} image{'s' * (n != 1)}"
        )
    if isinstance(event, events.ValidationFinished):
        best = ", the best so far" if event.is_best else ""
        return f"step {event.step}: validation Dice {event.metrics['score']:.3f}{best}"
    if isinstance(event, events.TrainingFinished):
        score = event.metrics.get("score")
        result = "" if score is None else f", validation Dice {score:.3f}"
        return f"{event.reason} at step {event.step}{result}"
    return ""


def beginning_of(event: events.RunStarted, run: str) -> str:
    """Return how the run of this name began, as one sentence."""
    n = event.total_steps
    what = f"{event.method}, {n} step{'s' * (n != 1)} on {event.device}"
    resumed = f", resumed at step {event.resumed_at}" if event.resumed_at else ""
    return f"run {run}: {what}{resumed}"
