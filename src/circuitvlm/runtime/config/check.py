"""Check that a config can be built, before anything is built.

All faults of a config are reported together, one per line, each with its dotted key. The parts of this project are
first checked against their source text, which needs no import; if that finds no fault, every part is imported and
checked against its actual parameters. There is no switch that turns the check off.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from circuitvlm.runtime import learning_rate
from circuitvlm.runtime.config import allow_list, strategy_check, type_check, value_check
from circuitvlm.runtime.config.schema import Evaluation, Run
from circuitvlm.runtime.config.signature import Parameters, imported_parameters, source_parameters
from circuitvlm.runtime.spelling import suggestion

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
ParameterReader = Callable[..., Parameters | None]
"""Called with a target and the groups that allow it; returns None where it cannot know the parameters."""

SECTIONS: dict[str, str] = {  # top-level key -> its config group
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
KEYED_SECTIONS = ("data", "tasks", "logger", "callback")
"""Sections that hold several parts, each under a name of its own."""

OPTIONAL_SECTIONS = ("quantization", "logger", "callback")
PROGRAM_ARGUMENTS: dict[str, dict[str, str]] = {
    "trainer": {
        "max_steps": "max_steps",
        "max_epochs": "max_epochs",
        "precision": "precision",
        "gradient_clip_val": "gradient_clip_val",
        "accumulate_grad_batches": "global_batch_size and micro_batch_size",
        "val_check_interval": "validate_every_n_steps",
        "limit_val_batches": "validate_items",
        "log_every_n_steps": "log_every_n_steps",
        "default_root_dir": "folder",
        "logger": "logger",
        "callbacks": "callback",
        **dict.fromkeys(("check_val_every_n_epoch", "num_sanity_val_steps"), "validate_every_n_steps"),
        **dict.fromkeys(("enable_checkpointing", "use_distributed_sampler"), ""),
    },
    "logger": {"save_dir": "folder"},
}
"""Config group -> argument of its parts that the program sets -> the key that a user sets instead ("" for none).

A second value in the section itself would be lost, and it would not count for the name of the run's folder.
"""

LIBRARY_KEYWORDS: dict[str, tuple[str, ...]] = {
    "DDPStrategy": ("find_unused_parameters", "static_graph", "gradient_as_bucket_view", "bucket_cap_mb"),
    "WandbLogger": ("entity", "group", "job_type", "mode", "notes", "tags"),
    "TensorBoardLogger": ("max_queue", "flush_secs", "filename_suffix"),
}
"""Class of a library -> the arguments that it takes as **kwargs, which its signature does not name."""

POSITIVE_NUMBERS = (
    *("max_epochs", "max_minutes", "global_batch_size", "micro_batch_size", "eval_batch_size", "validate_items"),
    *("eval_items", "max_new_tokens", "base_lr", "gradient_clip_val", "checkpoint_keep"),
    *("validate_every_n_steps", "log_every_n_steps", "checkpoint_every_n_steps"),
)


class ConfigError(ValueError):
    """A config with faults; `faults` holds them, one line each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"the config has {count}:\n" + "\n".join(f"  {fault}" for fault in faults))


def check(cfg: DictConfig | Mapping[str, Any]) -> None:
    """Raise ConfigError with the faults of a run's config; return None where there is none."""
    plain, faults = _to_plain(cfg)
    faults += _top_level_faults(plain, Run)
    rule_faults = list(_rule_faults(plain))
    for read_parameters in (source_parameters, imported_parameters):
        all_faults = [*faults, *_section_faults(_with_learning_rate(plain), read_parameters), *rule_faults]
        if all_faults:
            raise ConfigError(all_faults)


def check_evaluation(cfg: DictConfig | Mapping[str, Any]) -> None:
    """Raise ConfigError with the faults of an evaluation's own keys; the run's config is checked after the merge."""
    plain, faults = _to_plain(cfg)
    faults += _top_level_faults(plain, Evaluation)
    faults += _nonpositive_faults(plain, ("max_samples", "eval_batch_size", "max_new_tokens"))
    faults += value_check.faults(plain)
    if plain.get("run") == "":
        faults.append("run: expected the folder of a run or of an adapter, got ''")
    if faults:
        raise ConfigError(faults)


def _to_plain(cfg: DictConfig | Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config as plain containers, and the faults of its values that have an UnresolvedValue there."""
    try:
        node = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
    except OmegaConfBaseException as error:
        raise ConfigError([f"config: {_first_line(error)}"]) from error
    faults: list[str] = []
    plain: dict[str, Any] = _convert(node, "", faults)
    return plain, faults


def _convert(node: DictConfig | ListConfig, key: str, faults: list[str]) -> Any:
    if isinstance(node, DictConfig):
        return {str(name): _convert_value(node, name, f"{key}.{name!s}".lstrip("."), faults) for name in node}
    return [_convert_value(node, index, f"{key}[{index}]", faults) for index in range(len(node))]


def _convert_value(node: DictConfig | ListConfig, name: Any, key: str, faults: list[str]) -> Any:
    if OmegaConf.is_missing(node, name):
        faults.append(f"{key}: expected a value, got none ('???')")
        return type_check.UnresolvedValue()
    try:
        value = node[name]
    except OmegaConfBaseException as error:
        faults.append(f"{key}: {_first_line(error)}")
        return type_check.UnresolvedValue()
    return _convert(value, key, faults) if isinstance(value, (DictConfig, ListConfig)) else value


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _top_level_faults(plain: Mapping[str, Any], schema: type) -> list[str]:
    """Unknown keys (`+key=` adds one in spite of the dataclass), missing keys, and values of another type."""
    hints = typing.get_type_hints(schema)
    is_required = {field.name: field.default == MISSING for field in fields(schema)}
    faults = [f"{key}: no such key.{suggestion(str(key), is_required)}" for key in plain if key not in is_required]
    for name in is_required:
        if name in plain:
            faults += type_check.mismatches(plain[name], hints[name], key=name)
        elif is_required[name]:
            faults.append(f"{name}: expected a value, got none")
    return faults


def _with_learning_rate(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config with the rate that `base_lr` gives, where the optimizer has none: what the optimizer is built with."""
    optimizer, base_lr, batch_size = (plain.get(key) for key in ("optimizer", "base_lr", "global_batch_size"))
    if not isinstance(optimizer, Mapping) or optimizer.get("lr", 0) is not None:
        return plain
    if not isinstance(base_lr, (int, float)) or not isinstance(batch_size, int):
        return plain
    return {**plain, "optimizer": learning_rate.apply_base_lr(optimizer, base_lr=base_lr, global_batch_size=batch_size)}


def _section_faults(plain: Mapping[str, Any], read_parameters: ParameterReader) -> list[str]:
    faults: list[str] = []
    for key, group in SECTIONS.items():
        section = plain.get(key)
        if not section:
            if key not in OPTIONAL_SECTIONS:
                faults.append(f"{key}: expected a part of the group {group}, got nothing")
        elif isinstance(section, Mapping) and key in KEYED_SECTIONS:
            faults += _keyed_section_faults(section, group, key, read_parameters)
        elif isinstance(section, Mapping):
            faults += check_part(section, group, key=key, read_parameters=read_parameters)
    return faults


def _keyed_section_faults(
    section: Mapping[str, Any], group: str, key: str, read_parameters: ParameterReader
) -> list[str]:
    if allow_list.TARGET in section:
        return [f"{key}: expected parts under names ({key}.<name>.{allow_list.TARGET}), got one part without a name"]
    faults: list[str] = []
    for name, part in section.items():
        if isinstance(part, Mapping):
            faults += check_part(part, group, key=f"{key}.{name}", read_parameters=read_parameters)
        elif part is not None and not isinstance(part, type_check.UnresolvedValue):  # null removes a part
            faults.append(f"{key}.{name}: expected a part with {allow_list.TARGET}, got {part!r}")
    return faults


def check_part(
    part: Mapping[str, Any], *groups: str, key: str, read_parameters: ParameterReader = imported_parameters
) -> list[str]:
    """All faults of one section with a `_target_` and of the parts nested in it; usable for a single YAML file too."""
    if allow_list.TARGET not in part:
        return [f"{key}: expected a part with {allow_list.TARGET}, got {dict(part)!r}"]
    target = part[allow_list.TARGET]
    if isinstance(target, type_check.UnresolvedValue):
        return []
    faults = [f"{key}.{reason}" for reason in allow_list.special_key_faults(part)]
    arguments = {name: value for name, value in part.items() if not re.fullmatch(r"_.*_", str(name))}
    try:
        parameters = read_parameters(target, *groups)
    except allow_list.TargetError as error:
        faults.append(f"{key}.{allow_list.TARGET}: {error}")
    else:
        faults += [f"{key}.{fault}" for fault in _argument_faults(part, arguments, parameters)]
    nested_groups = allow_list.NESTED_GROUPS.get(allow_list.group_of(str(target)) or "", ())
    for name, value in arguments.items():
        faults += _nested_faults(value, nested_groups, f"{key}.{name}", read_parameters)
    return faults


def _nested_faults(value: Any, groups: tuple[str, ...], key: str, read_parameters: ParameterReader) -> list[str]:
    if isinstance(value, Mapping):
        if allow_list.TARGET in value:
            return check_part(value, *groups, key=key, read_parameters=read_parameters)
        faults = [f"{key}.{reason}" for reason in allow_list.special_key_faults(value)]
        inner_values = {f"{key}.{name}": inner for name, inner in value.items()}
    else:
        faults = []
        inner_values = {f"{key}[{i}]": inner for i, inner in enumerate(value if isinstance(value, list) else ())}
    for inner_key, inner in inner_values.items():
        faults += _nested_faults(inner, groups, inner_key, read_parameters)
    return faults


def _argument_faults(
    part: Mapping[str, Any], arguments: Mapping[str, Any], parameters: Parameters | None
) -> Iterator[str]:
    """Arguments that the program sets, and where the parameters are known: unknown, missing and ill-typed ones."""
    target = str(part[allow_list.TARGET])
    program_arguments = PROGRAM_ARGUMENTS.get(allow_list.group_of(target) or "", {})
    part_name = target.rpartition(".")[2]
    for name in program_arguments:
        if name in arguments:
            instead = f"set {program_arguments[name]} instead" if program_arguments[name] else "remove it"
            yield f"{name}: the program sets this argument of {part_name}; {instead}, got {arguments[name]!r}"
    if parameters is None:
        return
    argument_names = (*parameters, *LIBRARY_KEYWORDS.get(part_name, ()))
    for name, value in arguments.items():
        if name in parameters:
            yield from type_check.mismatches(value, parameters[name].annotation, key=name)
        elif name not in argument_names and name not in program_arguments:
            yield f"{name}: {part_name} has no such argument.{suggestion(name, argument_names)}"
    for name, parameter in parameters.items():
        if name in arguments or name in program_arguments or parameter.default is not parameter.empty:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            yield f"{name}: {part_name} needs this argument"
        elif part.get(allow_list.PARTIAL) is not True:
            yield f"{name}: {part_name} needs this argument (or {allow_list.PARTIAL}: true, to call it later)"


def _rule_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with and between the values of the top level."""
    lengths = [f"{key}={plain[key]}" for key in ("max_steps", "max_epochs") if plain.get(key) is not None]
    if len(lengths) != 1:
        yield f"max_steps, max_epochs: expected exactly one of the two, got {' and '.join(lengths) or 'neither'}"
    yield from learning_rate.faults(plain)
    yield from strategy_check.faults(plain)
    yield from _nonpositive_faults(plain, POSITIVE_NUMBERS)
    for key in ("max_steps", "num_workers", "seed", "max_unreadable_images"):
        if _is_number(plain.get(key)) and plain[key] < 0:
            yield f"{key}: expected 0 or more, got {plain[key]}"
    whole, part = plain.get("global_batch_size"), plain.get("micro_batch_size")
    if isinstance(whole, int) and isinstance(part, int) and part > 0 and whole % part:
        yield f"global_batch_size: expected a multiple of micro_batch_size {part}, got {whole}"
    precision = plain.get("precision")
    if isinstance(precision, str) and precision not in get_args(Precision):
        names = get_args(Precision)
        yield f"precision: expected one of {', '.join(names)}, got {precision!r}.{suggestion(precision, names)}"
    yield from value_check.faults(plain)


def _nonpositive_faults(plain: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value: Any = plain.get(key)
        if _is_number(value) and not value > 0:
            yield f"{key}: expected more than 0, got {value}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
