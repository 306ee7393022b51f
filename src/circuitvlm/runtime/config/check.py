"""Is this config one that can be built, before anything is built?

All faults come at once, one per line, each with its dotted key. There is no switch to turn the check off.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from circuitvlm.runtime import learning_rate
from circuitvlm.runtime.config import allow_list, strategy_check, type_check
from circuitvlm.runtime.config.schema import Evaluation, Run
from circuitvlm.runtime.spelling import suggestion

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
SECTIONS: dict[str, str] = {  # top-level key -> its room
    "data": "data",
    "tasks": "task",
    "model": "model",
    "adapter": "adapter",
    "dropout": "dropout",
    "collate": "collate",
    "objective": "objective",
    "schedule": "schedule",
    "optimizer": "optimizer",
    "quantization": "quantization",
    "trainer": "trainer",
    "logger": "logger",
    "callback": "callback",
}
KEYED = ("data", "tasks", "logger", "callback")  # chosen in the plural: a dict of parts, each under its own name
OPTIONAL = ("quantization", "logger", "callback")
# room -> what the program itself gives to its parts -> where a person sets it. Said in the section too, it would be
# said twice, and slip past the name of the run's folder, which ignores trainer.* and logger.*
SUPPLIED: dict[str, dict[str, str]] = {
    "trainer": {
        "max_steps": "steps",
        "max_epochs": "epochs",
        "precision": "precision",
        "gradient_clip_val": "clip",
        "accumulate_grad_batches": "global_batch and micro_batch",
        "val_check_interval": "validate_every",
        "limit_val_batches": "validate_items",
        "log_every_n_steps": "log_every",
        "default_root_dir": "folder",
        "logger": "logger",
        "callbacks": "callback",
        **dict.fromkeys(("check_val_every_n_epoch", "num_sanity_val_steps"), "validate_every"),
        **dict.fromkeys(("enable_checkpointing", "use_distributed_sampler"), "nothing: it is decided"),
    },
    "logger": {"save_dir": "folder"},
}
# A library's **kwargs would vouch for any misspelled name, so the names that it stands for are written here
KEYWORDS: dict[str, tuple[str, ...]] = {
    "DDPStrategy": ("find_unused_parameters", "static_graph", "gradient_as_bucket_view", "bucket_cap_mb"),
    "WandbLogger": ("entity", "group", "job_type", "mode", "notes", "tags"),
    "TensorBoardLogger": ("max_queue", "flush_secs", "filename_suffix"),
}


class ConfigError(ValueError):
    """A config with faults; `faults` holds them, one line each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"the config has {count}:\n" + "\n".join(f"  {fault}" for fault in faults))


def check(cfg: DictConfig | Mapping[str, Any]) -> None:
    """Raise ConfigError with every fault of a run's config; return None where there is none."""
    faults: list[str] = []
    plain = _plain(cfg, faults)
    faults += _top_level(plain, Run) + _sections(_rated(plain)) + list(_rules(plain))
    if faults:
        raise ConfigError(faults)


def check_evaluation(cfg: DictConfig | Mapping[str, Any]) -> None:
    """The same for an evaluation's own few keys; the run's config that it is merged into is then checked whole."""
    faults: list[str] = []
    plain = _plain(cfg, faults)
    counts = ("items", "max_samples", "predict_batch", "max_new_tokens")
    faults += _top_level(plain, Evaluation) + list(_not_positive(plain, counts))
    if plain.get("run") == "":
        faults.append("run: wanted the folder of a run or of an adapter, came ''")
    if faults:
        raise ConfigError(faults)


def _plain(cfg: DictConfig | Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """The config as plain containers; what cannot be resolved is told in `faults` and stands as Unresolved."""
    try:
        node = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
    except OmegaConfBaseException as error:
        raise ConfigError([f"config: {_first_line(error)}"]) from error
    found = _resolved(node, "", faults)
    assert isinstance(found, dict), f"a config is a mapping, came {type(found)}"
    return found


def _resolved(node: DictConfig | ListConfig, key: str, faults: list[str]) -> Any:
    if isinstance(node, DictConfig):
        return {str(name): _leaf(node, name, f"{key}.{name!s}".lstrip("."), faults) for name in node}
    return [_leaf(node, index, f"{key}[{index}]", faults) for index in range(len(node))]


def _leaf(node: DictConfig | ListConfig, name: Any, key: str, faults: list[str]) -> Any:
    if OmegaConf.is_missing(node, name):
        faults.append(f"{key}: is not given ('???')")
        return type_check.Unresolved()
    try:
        value = node[name]
    except OmegaConfBaseException as error:
        faults.append(f"{key}: {_first_line(error)}")
        return type_check.Unresolved()
    if isinstance(value, (DictConfig, ListConfig)) and not OmegaConf.is_missing(node, name):
        return _resolved(value, key, faults)
    return value


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _top_level(plain: Mapping[str, Any], schema: type) -> list[str]:
    """Known keys only (`+key=` slips past the dataclass), each of the dataclass's type."""
    hints = typing.get_type_hints(schema)
    names = [field.name for field in fields(schema)]
    faults = [f"{key}: no such key.{suggestion(str(key), names)}" for key in plain if key not in names]
    faults += [f"{name}: is not given" for name in names if name not in plain and name not in _defaulted(schema)]
    for name in names:
        if name in plain:
            faults += type_check.misfits(plain[name], hints[name], key=name)
    return faults


def _defaulted(schema: type) -> set[str]:
    """Fields that may be left out: those that the dataclass itself gives a value."""
    return {field.name for field in fields(schema) if field.default != "???"}


def _rated(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config with the rate that `blr` gives in the place of none, as the optimizer is given it."""
    optimizer, blr, batch = (plain.get(key) for key in ("optimizer", "blr", "global_batch"))
    if not isinstance(optimizer, Mapping) or optimizer.get("lr", 0) is not None:
        return plain
    if not isinstance(blr, (int, float)) or not isinstance(batch, int):
        return plain
    return {**plain, "optimizer": learning_rate.scaled(optimizer, blr=blr, global_batch=batch)}


def _sections(plain: Mapping[str, Any]) -> list[str]:
    faults: list[str] = []
    for key, room in SECTIONS.items():
        section = plain.get(key)
        if not section:
            if key not in OPTIONAL:
                faults.append(f"{key}: nothing is chosen, wanted {_wish(key, room)}")
        elif isinstance(section, Mapping) and key in KEYED:
            faults += _keyed(section, room, key)
        elif isinstance(section, Mapping):
            faults += check_part(section, room, key=key)
    return faults


def _wish(key: str, room: str) -> str:
    return f"at least one {room}" if key in KEYED else f"a part of the room {room!r}"


def _keyed(section: Mapping[str, Any], room: str, key: str) -> list[str]:
    if allow_list.TARGET in section:
        return [f"{key}: holds parts under names of their own ({key}.<name>.{allow_list.TARGET}), came one without"]
    faults: list[str] = []
    for name, part in section.items():
        if part is None:  # `callback.early_stopping=null` takes a part out again
            continue
        if isinstance(part, Mapping):
            faults += check_part(part, room, key=f"{key}.{name}")
        elif not isinstance(part, type_check.Unresolved):
            faults.append(f"{key}.{name}: wanted a part with {allow_list.TARGET}, came {part!r}")
    return faults


def check_part(part: Mapping[str, Any], *rooms: str, key: str) -> list[str]:
    """All faults of one `_target_` section and of the parts nested in it; usable for a single YAML file too."""
    if allow_list.TARGET not in part:
        return [f"{key}: has no {allow_list.TARGET}"]
    if isinstance(part[allow_list.TARGET], type_check.Unresolved):
        return []
    faults = [f"{key}.{reason}" for reason in allow_list.special_key_faults(part)]
    arguments = {name: value for name, value in part.items() if not re.fullmatch(r"_.*_", str(name))}
    try:
        target = allow_list.resolve(part[allow_list.TARGET], *rooms)
    except allow_list.TargetError as error:
        faults.append(f"{key}.{allow_list.TARGET}: {error}")
    else:
        supplied = SUPPLIED.get(allow_list.room_of(str(part[allow_list.TARGET])) or "", {})
        faults += _binding(target, arguments, supplied, partial=part.get(allow_list.PARTIAL) is True, key=key)
    below = allow_list.BELOW.get(allow_list.room_of(str(part[allow_list.TARGET])) or "", ())
    for name, value in arguments.items():
        faults += _nested(value, below, key=f"{key}.{name}")
    return faults


def _nested(value: Any, rooms: tuple[str, ...], *, key: str) -> list[str]:
    if isinstance(value, Mapping):
        if allow_list.TARGET in value:
            return check_part(value, *rooms, key=key)
        faults = [f"{key}.{reason}" for reason in allow_list.special_key_faults(value)]
        return faults + [fault for name, v in value.items() for fault in _nested(v, rooms, key=f"{key}.{name}")]
    if isinstance(value, list):
        return [fault for i, v in enumerate(value) for fault in _nested(v, rooms, key=f"{key}[{i}]")]
    return []


def _binding(
    target: Callable[..., Any],
    arguments: Mapping[str, Any],
    supplied: Mapping[str, str],
    *,
    partial: bool,
    key: str,
) -> list[str]:
    """Unknown, missing, twice given and ill-typed arguments."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = {n: p for n, p in inspect.signature(target).parameters.items() if p.kind in kinds}
    spelled = getattr(target, "__name__", str(target))
    known = (*parameters, *KEYWORDS.get(spelled, ()))
    faults = []
    for name in arguments:
        if name in supplied:
            faults.append(f"{key}.{name}: the program gives {spelled} this argument; set {supplied[name]}")
        elif name not in known:
            faults.append(f"{key}.{name}: {spelled} has no such argument.{suggestion(name, known)}")
    for name, parameter in parameters.items():
        later = (partial and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD) or name in supplied
        if name not in arguments and parameter.default is inspect.Parameter.empty and not later:
            hint = (
                f" (or {allow_list.PARTIAL}: true, to call it later)"
                if inspect.isfunction(target) and not partial
                else ""
            )
            faults.append(f"{key}.{name}: {spelled} needs this argument{hint}")
    hints = type_check.hints_of(target)
    for name in [name for name in arguments if name in parameters and name in hints]:
        faults += type_check.misfits(arguments[name], hints[name], key=f"{key}.{name}")
    return faults


def _rules(plain: Mapping[str, Any]) -> Iterator[str]:
    """What holds between the values of the top level."""
    given = [key for key in ("steps", "epochs") if plain.get(key) is not None]
    if len(given) != 1:
        yield f"steps, epochs: wanted exactly one of the two, came {' and '.join(given) or 'neither'}"
    yield from learning_rate.faults(plain)
    yield from strategy_check.faults(plain)
    counts = ("epochs", "minutes", "global_batch", "micro_batch", "predict_batch", "validate_every", "validate_items")
    others = ("evaluate_items", "max_new_tokens", "blr", "clip", "log_every", "checkpoint_every", "checkpoint_keep")
    yield from _not_positive(plain, (*counts, *others))
    for key in ("steps", "workers", "seed", "bad_images"):
        if _is_number(plain.get(key)) and plain[key] < 0:
            yield f"{key}: wanted 0 or more, came {plain[key]}"
    whole, part = plain.get("global_batch"), plain.get("micro_batch")
    if isinstance(whole, int) and isinstance(part, int) and part > 0 and whole % part:
        yield f"global_batch: {whole} is not divisible by micro_batch {part}"
    precision = plain.get("precision")
    if isinstance(precision, str) and precision not in get_args(Precision):
        wanted = ", ".join(get_args(Precision))
        yield f"precision: wanted one of {wanted}, came {precision!r}.{suggestion(precision, get_args(Precision))}"
    name = plain.get("name")
    controls = plain.get("controls")
    folders = {"name": name} | {f"controls.{key}": key for key in (controls if isinstance(controls, Mapping) else ())}
    for key, word in folders.items():
        if isinstance(word, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", word):
            yield f"{key}: it names a folder, wanted letters, digits, '.', '_' and '-', came {word!r}"


def _not_positive(plain: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value: Any = plain.get(key)
        if _is_number(value) and not value > 0:
            yield f"{key}: wanted more than 0, came {value}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
