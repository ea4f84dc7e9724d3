"""Settings: validated values from which flags, forms, files and messages follow."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from napari_mtseg.domain.errors import SettingsError

Kind = Literal["choice", "switch", "whole number", "number", "text", "other"]

_KINDS: Mapping[Any, Kind] = {
    bool: "switch",
    int: "whole number",
    float: "number",
    str: "text",
}

_LONGEST_SHOWN = 60
"""characters of a wrong value that a message repeats"""


class Settings(BaseModel):
    """Base of all settings: frozen, closed to unknown names, documented per field."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
    )

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Validate ``values``; what was read from a file may be no mapping at all.

        Raises
        ------
        SettingsError
            Names the first setting that is unknown, of the wrong type or out of range.
        """
        if not isinstance(values, Mapping):
            raise SettingsError(
                f"Settings are {_shown(values)} but must be names with values. "
                "Change them and try again."
            )
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise SettingsError(_sentence(cls, error)) from None

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with some values replaced, validated like new ones."""
        return self.checked({**self.model_dump(), **values})


@dataclass(frozen=True, kw_only=True)
class SettingDescription:
    """What a form, a help page or a table shows of one setting."""

    name: str
    text: str
    unit: str
    range: str
    default: Any
    source: str
    """'paper', 'code', 'derived' or 'ours'"""
    simple: bool
    """True if a newcomer should see it first"""
    step: float | None
    choices: tuple[Any, ...]
    kind: Kind
    """what its values are; 'other' for what no simple control can hold"""
    limits: Mapping[str, float]
    """limits of a number by pydantic's names: ge, gt, le, lt"""
    zero: str
    """what 0 stands for, such as 'automatic'; '' where it is a number like others"""
    network: bool
    """True if weights that were learned with one value are of no use with another"""


def setting(  # noqa: PLR0913 - one argument per property of a setting
    default: Any,
    *,
    source: str,
    unit: str = "",
    step: float | None = None,
    simple: bool = False,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    zero: str = "",
    values: str = "",
    network: bool = False,
) -> Any:
    """Return a pydantic field that knows its range, unit, spin-box step and source.

    ``zero`` says what the smallest value, 0, stands for where it is no number of units;
    ``values`` says what a text may be. ``network`` marks what weights depend on.
    """
    extra: dict[str, Any] = {"source": source, "unit": unit, "simple": simple}
    if network:
        extra["network"] = True
    if zero:
        extra["zero"] = zero
    if values:
        extra["values"] = values
    if step is not None:
        extra["step"] = step
    return Field(default, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


def describe(model: type[Settings]) -> tuple[SettingDescription, ...]:
    """Describe every setting of ``model``, in order."""
    return tuple(_describe(name, field) for name, field in model.model_fields.items())


def from_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Turn ``["steps=400", "norm=batch"]`` into ``{"steps": 400, "norm": "batch"}``.

    Raises
    ------
    SettingsError
        If an assignment has no ``=``.
    """
    values: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SettingsError(
                f"--set got '{text}' but expects NAME=VALUE, for example "
                "--set learning_rate=0.001."
            )
        try:
            values[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            values[name.strip()] = value.strip()
    return values


def _describe(name: str, field: FieldInfo) -> SettingDescription:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    step = extra.get("step")
    return SettingDescription(
        name=name,
        text=field.description or "",
        unit=str(extra.get("unit", "")),
        range=str(extra.get("values", "")) or _range(field),
        default=field.get_default(call_default_factory=True),
        source=str(extra.get("source", "ours")),
        simple=bool(extra.get("simple", False)),
        step=float(step) if isinstance(step, (int, float)) else None,
        choices=_choices(field),
        kind=_kind(field),
        limits=_limits(field),
        zero=str(extra.get("zero", "")),
        network=bool(extra.get("network", False)),
    )


def _kind(field: FieldInfo) -> Kind:
    if get_origin(field.annotation) is Literal:
        return "choice"
    return _KINDS.get(field.annotation, "other")


def _choices(field: FieldInfo) -> tuple[Any, ...]:
    annotation = field.annotation
    if annotation is bool:
        return (True, False)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _range(field: FieldInfo) -> str:
    choices = _choices(field)
    if choices:
        return " | ".join(
            str(c).lower() if isinstance(c, bool) else str(c) for c in choices
        )
    signs = {"ge": "", "gt": ">", "le": "", "lt": "<"}
    said = {key: f"{signs[key]}{limit:,.12g}" for key, limit in _limits(field).items()}
    low = said.get("ge", said.get("gt", ""))
    high = said.get("le", said.get("lt", ""))
    return f"{low}..{high}" if low or high else "any"


def _limits(field: FieldInfo) -> dict[str, float]:
    """Return the limits of a number by pydantic's names: ge, gt, le, lt."""
    return {
        key: getattr(item, key)
        for item in field.metadata
        for key in ("ge", "gt", "le", "lt")
        if getattr(item, key, None) is not None
    }


def _sentence(model: type[Settings], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = sorted(model.model_fields)
        like = get_close_matches(name, known, n=1)
        meant = f" Did you mean '{like[0]}'?" if like else ""
        known_settings = ", ".join(known)
        return f"There is no setting '{name}'.{meant} Known settings: {known_settings}."
    if not name:
        return f"{first['msg'].removeprefix('Value error, ').rstrip('.')}."
    if first["type"] == "missing":
        return f"Setting '{name}' is missing. Give it a value and try again."
    # Of 'classes.0.colour' the model knows only 'classes'.
    expected = _expected(model.model_fields[name]) if len(first["loc"]) == 1 else ""
    expected = expected or re.sub(r"^\w+ should ", "", first["msg"])
    return (
        f"Setting '{name}' is {_shown(first['input'])} but must {expected}. "
        "Change it and try again."
    )


def _expected(field: FieldInfo) -> str:
    """Return what a value must be, or nothing where pydantic says it better."""
    if _choices(field):
        return f"be one of {_range(field).replace(' |', ',')}"
    kind = {int: "a whole number", float: "a number"}.get(field.annotation or str)
    limits = _limits(field)
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    said = " and ".join(
        f"{word} {limits[key]:,.12g}" for key, word in words.items() if key in limits
    )
    return f"be {kind} {said}" if kind and said else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
