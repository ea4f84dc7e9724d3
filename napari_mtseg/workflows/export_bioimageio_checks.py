"""What bioimageio.core says of a BioImage.IO package that was written."""

from pathlib import Path
from typing import Any

from napari_mtseg.workflows.export_checks import Check
from napari_mtseg.workflows.quiet_libraries import quiet_libraries

FORMATS = {"pytorch_state_dict": "PyTorch", "onnx": "ONNX"}
"""weights of a package, and their name for people"""


def bioimageio_checks(path: Path) -> tuple[Check, ...]:
    """Test a package as 'bioimageio test' does: its description and all weights."""
    from bioimageio.core import test_model

    with quiet_libraries():
        summary = test_model(path, devices=["cpu"])
    details = list(summary.details)
    of_weights = [d for d in details if tuple(d.loc)[:1] == ("weights",)]
    rest = [d for d in details if d not in of_weights]
    checks = [_check("bioimageio.spec finds the description valid", rest)]
    for key, name in FORMATS.items():
        own = [d for d in of_weights if key in tuple(d.loc)]
        checks.append(
            _check(
                f"bioimageio.core gets the test answers from the {name} weights, and "
                "answers of the right size for other images",
                own,
            )
        )
    said = summary.status == "passed"
    return (*checks, Check(what="'bioimageio test' passes", passed=said))


def _check(what: str, details: list[Any]) -> Check:
    """Return whether all of these passed; where one did not, with its error."""
    failed = [d for d in details if d.status != "passed"]
    errors = [error.msg for detail in failed for error in detail.errors]
    why = f": {' '.join(str(errors[0]).split())}" if errors else ""
    return Check(what=f"{what}{why}", passed=bool(details) and not failed)
