"""A child that speaks the protocol of `mtseg wait` and trains nothing.

The method of a request says how its run goes: 'steps', 'deaf' (never stops), 'dies',
'fails'; every other one is refused. `mtseg say WORDS` is a command for tests, and
`mtseg predict` segments one of five images and then sleeps.
"""

import json
import os
import sys
import time
from pathlib import Path

from napari_mtseg.domain.events import (
    CheckpointSaved,
    RunStarted,
    StepFinished,
    TrainingFailed,
    TrainingFinished,
)
from napari_mtseg.storage.batch_ledger import BatchBegun, BatchLedger, ImageRecord
from napari_mtseg.storage.run_folder import RunFolder, find_run, new_run_folder

READINESS = {
    "answer": "readiness",
    "summary": "3 partial masks on 1 image.",
    "methods": {
        "baseline": {"ready": False, "problems": ["No full mask."], "notices": []},
        "recursive_approximation": {"ready": True, "problems": [], "notices": ["a."]},
    },
    "recommended": "recursive_approximation",
    "reason": "It grows partial masks.",
}


def main():
    command, *args = sys.argv[1:]
    if command == "say":
        say(*args)
    elif command == "predict":
        predict(Path(args[args.index("--out") + 1]))
    else:
        wait(Path(args[0]))


def say(what, *words):
    if what == "sleep":
        sys.stderr.write("asleep\n")
        sys.stderr.flush()
        time.sleep(60)
    sys.stdout.write(f"{' '.join(words)}\n")
    if what == "error":
        sys.exit(f"note: first\nmtseg: {' '.join(words)}")


def predict(out):
    with BatchLedger(out) as ledger:
        ledger.begin(BatchBegun(total=5, model="m"))
        ledger.add(ImageRecord(input="/a.tif", name="a", status="done"))
        time.sleep(60)


def wait(project):
    if (project / "broken").exists():
        sys.exit("OSError: no torch here")
    (project / "children").open("a").write(f"{os.getpid()}\n")
    while (project / "importing").exists():
        time.sleep(0.02)
    answer({"answer": "ready", "devices": ["cpu", "cuda"]})
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["ask"] == "readiness":
            (project / "asked").open("a").write("readiness\n")
            answer({**READINESS, **asked_readiness(asked.get("run"))})
        elif asked["ask"] == "resume":
            run = find_run(project, asked["run"])
            run.set_control(run.control().changed({"stop": False}))
            begin(run, "steps")
            return
        elif asked["method"] in {"steps", "deaf", "dies", "fails"}:
            begin(made(project, asked), asked["method"])
            return
        else:
            answer({"answer": "refused", "message": f"No method {asked['method']}."})


def asked_readiness(run):
    if run is None:
        return {}
    problems = [f"{name} is wrong." for name in run["values"]]
    found = {"ready": not problems, "problems": problems, "notices": ["b."]}
    return {"asked": {"method": run["method"], **found}}


def made(project, asked):
    kept = {key: asked[key] for key in ("method", "seed", "device", "parent")}
    return new_run_folder(
        project, {**kept, "settings": asked["values"], "versions": {}}
    )


def begin(run: RunFolder, how):
    answer({"answer": "run", "run": run.path.name, "notices": ["Few labels."]})
    log = (run.path / "log.txt").open("ab")
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    with run.lock():
        train(run, how)


def train(run, how):
    before = [e for e in run.events() if not isinstance(e, TrainingFinished)]
    steps = [e.step for e in before if isinstance(e, CheckpointSaved)]
    step = max(steps, default=0)
    run.rewrite_events(before if step else ())
    run.append(RunStarted(method=how, total_steps=200, device="cpu", resumed_at=step))
    while step < 200:
        if run.control().stop and how != "deaf":
            run.append(CheckpointSaved(step=step, file="x"))
            run.append(TrainingFinished(step=step, reason="stopped", metrics={}))
            return
        step += 1
        run.append(StepFinished(step=step, of=200, losses={"total": 1.0}, seconds=0.1))
        if step == 3:
            run.append(CheckpointSaved(step=step, file="x"))
        if step == 5 and how == "dies":
            os.kill(os.getpid(), 9)
        if step == 5 and how == "fails":
            run.append(TrainingFailed(step=step, message="No memory. Do this."))
            return
        if how == "deaf" or step > 20:
            time.sleep(0.01)
    metrics = {"score": 0.5}
    run.append(TrainingFinished(step=step, reason="done", metrics=metrics))


def answer(value):
    sys.stdout.write(f"a library says hello\n{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
