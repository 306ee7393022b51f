"""Find the modules of a net that an adapter targets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import nn

from circuitvlm.core.contract import Model


def linear_names(net: nn.Module, model: Model, targets: Mapping[str, Sequence[str] | str]) -> list[str]:
    """Return the full names of the linear modules in `targets` (component -> last names, or "all").

    Raises ValueError where a component or a name matches nothing.
    """
    target_names: list[str] = []
    for component, names in targets.items():
        if component not in model.components:
            raise ValueError(f"adapter.targets: expected one of {', '.join(model.components)}, got {component!r}")
        last_names = {  # by full name; bitsandbytes' layers are subclasses of nn.Linear
            name: name.rsplit(".", 1)[-1]
            for name, module in net.named_modules()
            if _is_inside(name, model.components[component]) and isinstance(module, nn.Linear)
        }
        known_names = set(last_names.values())
        wanted_names = known_names if names == "all" else set(names)
        missing_names = wanted_names - known_names
        if missing_names or not known_names:
            raise ValueError(
                f"adapter.targets.{component}: expected names among "
                f"{', '.join(sorted(known_names)) or 'no linear module'}, got "
                f"{', '.join(sorted(missing_names)) or names}"
            )
        target_names += [name for name, last_name in last_names.items() if last_name in wanted_names]
    return target_names


INPUT_NORMS = ("input_layernorm", "layer_norm1", "norm1", "layernorm_before", "ln_1")
"""Names of the norm before the attention of a block, in the supported families."""


def input_norms(net: nn.Module, model: Model, components: Sequence[str]) -> dict[str, list[str]]:
    """Map each component to the full names of the input norms of its blocks, in order.

    Raises ValueError where a component has no blocks, or a block has no norm of a known name.
    """
    norms: dict[str, list[str]] = {}
    for component in components:
        if component not in model.components:
            raise ValueError(f"adapter.components: expected {', '.join(model.components)}, got {component!r}")
        stacks = [path for path in model.blocks if _is_inside(path, model.components[component])]
        if not stacks:
            raise ValueError(
                f"adapter.components: expected a component with blocks ({', '.join(model.blocks)}), got {component!r}"
            )
        blocks = {f"{path}.{n}": block for path in stacks for n, block in net.get_submodule(path).named_children()}
        norms[component] = [f"{name}.{_input_norm(name, block)}" for name, block in blocks.items()]
    return norms


def _input_norm(name: str, block: nn.Module) -> str:
    children = dict(block.named_children())
    for norm in INPUT_NORMS:
        if norm in children:
            return norm
    raise ValueError(f"adapter: {name}: expected one of the norms {', '.join(INPUT_NORMS)}, got {', '.join(children)}")


def _is_inside(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def as_regex(names: Sequence[str]) -> str:
    """Return one regular expression for exactly these full names, with block numbers as \\d+ to keep it short."""
    return "|".join(dict.fromkeys(re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(name), count=1) for name in names))
