"""Units of length in which image files give the size of a voxel."""

import math
from collections.abc import Mapping

LENGTHS_IN_METRES = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "inch": 0.0254,
    "meter": 1.0,
}

_UNIT_NAMES = {
    "å": "angstrom",
    "nm": "nanometer",
    "nanometre": "nanometer",
    "um": "micrometer",
    "µm": "micrometer",
    "μm": "micrometer",
    "\\u00b5m": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "micrometre": "micrometer",
    "mm": "millimeter",
    "millimetre": "millimeter",
    "cm": "centimeter",
    "centimetre": "centimeter",
    "m": "meter",
    "metre": "meter",
    "in": "inch",
}


def unit_name(text: str) -> str:
    """Return the full English name of a length unit; 'pixel' where there is none."""
    plain = text.strip().lower()
    name = _UNIT_NAMES.get(plain, plain)
    return name if name in LENGTHS_IN_METRES else "pixel"


def in_one_unit(sizes: Mapping[str, tuple[float, str]]) -> tuple[dict[str, float], str]:
    """Bring voxel sizes, (value, unit name) by axis, to the unit of X.

    Sizes that are no positive number, or have no unit where X has one, are left out.
    """
    good = {k: v for k, v in sizes.items() if math.isfinite(v[0]) and v[0] > 0}
    if "X" not in good:
        return {}, "pixel"
    unit = good["X"][1]
    if unit not in LENGTHS_IN_METRES:
        return {k: v for k, (v, u) in good.items() if u == unit}, "pixel"
    metre = LENGTHS_IN_METRES
    return {
        k: v if u == unit else v * metre[u] / metre[unit]
        for k, (v, u) in good.items()
        if u in metre
    }, unit
