"""`mtseg methods`: what the methods do, their settings, and their networks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mtseg.cli.output import print_json, print_table
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import from_assignments

if TYPE_CHECKING:
    from napari_mtseg.domain.settings import SettingDescription
    from napari_mtseg.methods.catalog import MethodEntry
    from napari_mtseg.workflows.summarise_network import NetworkSummary


def show_methods(  # noqa: PLR0913 - one argument per option
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Method to describe; all by default."),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Show the network's layers and size.")
    ] = False,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the images.")] = 1,
    classes: Annotated[
        int, typer.Option(min=2, max=251, help="Outputs, background included.")
    ] = 2,
    scenes: Annotated[int, typer.Option(min=0, help="Scenes of the images.")] = 0,
    ndim: Annotated[int, typer.Option(min=2, max=3, help="2D or 3D images.")] = 2,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Size (fast, balanced, paper), a variant, or once for each.",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated."),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every named variant beside the default.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print as JSON on stdout.")
    ] = False,
) -> None:
    """List the methods; describe one with its settings; count its parameters.

    Example: `mtseg methods recursive_approximation`

    Example: `mtseg methods baseline --summary --channels 3 --classes 2`
    """
    from napari_mtseg.methods.catalog import entry

    if name is None and summary:
        raise SettingsError(
            "--summary needs a method, for example: mtseg methods baseline --summary."
        )
    if not summary and (presets or assignments or show_all):
        raise SettingsError(
            "--preset, --set and --all are for --summary. Add --summary, or leave them "
            "out."
        )
    if name is None:
        _list_methods(as_json=as_json)
        return
    entry(name)
    if not summary:
        _describe(name, ndim, as_json=as_json)
        return
    task = {"n_channels": channels, "n_classes": classes - 1, "n_scenes": scenes}
    values = from_assignments(assignments or [])
    start = _start(name, presets or [], ndim=ndim)
    networks = _networks(name, {**task, "ndim": ndim}, start, values, show_all)
    _show_networks(name, networks, as_json=as_json)


def _list_methods(*, as_json: bool) -> None:
    from napari_mtseg.methods.catalog import CATALOG

    if as_json:
        print_json([_entry_facts(entry) for entry in CATALOG.values()])
        return
    print_table(
        ("method", "what it does", "learns from"),
        [(e.key, e.summary, e.uses) for e in CATALOG.values()],
    )
    _print("Settings and presets of one: mtseg methods NAME")


def _entry_facts(entry: "MethodEntry") -> dict[str, str]:
    return {
        "method": entry.key,
        "title": entry.title,
        "summary": entry.summary,
        "uses": entry.uses,
        "source": entry.source,
    }


def _describe(key: str, ndim: int, *, as_json: bool) -> None:
    from napari_mtseg.domain.settings import describe
    from napari_mtseg.domain.training_settings import TrainingSettings
    from napari_mtseg.methods import catalog

    entry = catalog.entry(key)
    settings = describe(catalog.settings_model(key))
    presets = {name: catalog.preset(key, name, ndim=ndim) for name in catalog.PRESETS}
    variants = catalog.variants(key)
    dimensions = {name: catalog.dimensions_of(key, name) for name in variants}
    if as_json:
        print_json(
            {
                **_entry_facts(entry),
                "settings": [_setting_facts(s) for s in settings],
                "presets": presets,
                "variants": variants,
                "dimensions": {name: list(n) for name, n in dimensions.items()},
            }
        )
        return
    _print(f"{key}: {entry.title}. {entry.summary}")
    _print(f"Learns from: {entry.uses}")
    _print(f"Paper: {entry.source}\n")
    shared = set(TrainingSettings.model_fields)
    own = [s for s in settings if s.name not in shared]
    _print_settings("Settings of this method", own)
    _print_settings(
        "Settings of training, the same for every method",
        [s for s in settings if s.name in shared],
    )
    _print_values(f"Presets for {ndim}D images (--preset NAME)", presets)
    _print_values(
        "Named variants (--preset NAME, or --preset fast --preset NAME)",
        {
            _with_dimensions(name, dimensions[name]): values
            for name, values in variants.items()
        },
    )
    _print("Change a setting: mtseg train PROJECT --set NAME=VALUE")


def _with_dimensions(name: str, dimensions: Sequence[int]) -> str:
    """Return the name of a variant, with the images that it is for if not for all."""
    return name if len(dimensions) > 1 else f"{name} ({dimensions[0]}D images only)"


def _print_settings(title: str, settings: "Sequence[SettingDescription]") -> None:
    rows = [_setting_row(s) for s in settings]
    columns = ("setting", "default", "range", "unit", "source", "what it is")
    print_table(columns, rows, title=title)
    _print("")


def _setting_facts(found: "SettingDescription") -> dict[str, Any]:
    return {
        "name": found.name,
        "default": found.default,
        "range": found.range,
        "zero": found.zero,
        "unit": found.unit,
        "source": found.source,
        "description": _one_line(found.text),
    }


def _setting_row(found: "SettingDescription") -> tuple[str, ...]:
    return (
        found.name,
        _with_meaning(found.default, found.zero),
        found.range,
        found.unit,
        found.source,
        _one_line(found.text),
    )


def _print_values(title: str, sets: Mapping[str, Mapping[str, Any]]) -> None:
    _print(f"{title}:")
    for name, values in sets.items():
        _print(f"  {name}: {', '.join(f'{k}={_text(v)}' for k, v in values.items())}")
    _print("")


def _start(
    key: str, presets: Sequence[str], *, ndim: int
) -> tuple[str, dict[str, Any]]:
    """Return the name and the settings of what was chosen by ``--preset``."""
    from napari_mtseg.methods import catalog

    if not presets:
        return "default", {}
    first, variant = catalog.preset_and_variant(key, presets)
    name = first if variant is None else f"{first} {variant}"
    return name, catalog.named_settings(key, first, variant, ndim=ndim)


def _networks(
    key: str,
    task: Mapping[str, int],
    start: tuple[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    show_all: bool,
) -> "dict[str, NetworkSummary]":
    from napari_mtseg.methods import catalog

    ndim = task["ndim"]
    name, chosen = start
    rows = {name: chosen}
    if show_all:
        variants = catalog.variants(key, ndim=ndim)
        rows |= {n: {**chosen, **v} for n, v in variants.items()}
    model = catalog.settings_model(key)
    settings = {n: model.checked({**row, **values}) for n, row in rows.items()}

    from napari_mtseg.methods.protocol import Task
    from napari_mtseg.workflows.summarise_network import summarise_network

    asked = Task(
        n_channels=task["n_channels"],
        n_classes=task["n_classes"],
        n_scenes=task["n_scenes"],
        spacing=(1.0,) * ndim,
    )
    return {n: summarise_network(key, s, asked) for n, s in settings.items()}


def _show_networks(
    key: str, networks: "Mapping[str, NetworkSummary]", *, as_json: bool
) -> None:
    first, *_ = networks.values()
    counts = {
        name: {
            "conv_weights": found.conv_weights,
            "total": found.total,
            "receptive_field": list(found.receptive_field),
            **_parts(found),
        }
        for name, found in networks.items()
    }
    if as_json:
        layers = [
            {
                "name": row.name,
                "kind": row.kind,
                "output_shape": list(row.output_shape),
                "parameters": row.parameters,
            }
            for row in first.layers
        ]
        top = {"method": key, "conv_weights": first.conv_weights, "total": first.total}
        print_json({**top, **_parts(first), "networks": counts, "layers": layers})
        return
    rows: list[Sequence[str]] = [
        (row.name, row.kind, _size(row.output_shape), f"{row.parameters:,}")
        for row in first.layers
    ]
    title = f"{key}, sizes for one patch of {_size(first.size)} pixels"
    print_table(("layer", "kind", "output (C, size)", "parameters"), rows, title=title)
    _print("")
    print_table(
        ("network", "conv_weights", "total", "receptive field"),
        [
            (n, f"{s.conv_weights:,}", f"{s.total:,}", _size(s.receptive_field))
            for n, s in networks.items()
        ],
    )
    if first.parts:
        _print("")
        parts = [(name, f"{n:,}") for name, n in first.parts.items()]
        print_table(("part", "parameters"), parts)
    if first.context_receptive_fields:
        fields = ", ".join(str(n) for n in first.context_receptive_fields)
        _print(f"receptive fields of the context ensemble, in its own pixels: {fields}")


def _parts(found: "NetworkSummary") -> dict[str, Any]:
    """Return what is counted by part, for methods whose papers do so."""
    if not found.parts:
        return {}
    fields = list(found.context_receptive_fields)
    return {"parts": dict(found.parts), "context_receptive_fields": fields}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _with_meaning(default: Any, zero: str) -> str:
    is_zero = default == 0 and not isinstance(default, bool)
    return f"0 ({zero})" if zero and is_zero else _text(default)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _size(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def _print(text: str) -> None:
    typer.echo(text)
