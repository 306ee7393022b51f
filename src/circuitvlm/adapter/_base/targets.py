"""Which modules of a net does a component of its map mean?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from torch import nn

from circuitvlm.core.contract import Model


def linear_names(net: nn.Module, model: Model, targets: Mapping[str, Sequence[str] | str]) -> list[str]:
    """Full names of the linear modules that `targets` means: component -> last names, or "all".

    Raises ValueError where a component or a name matches nothing, with what there is.
    """
    chosen: list[str] = []
    for component, names in targets.items():
        if component not in model.components:
            raise ValueError(
                f"adapter.targets.{component}: no such component; the model has {', '.join(model.components)}"
            )
        there = list(_linears(net, model.components[component]))
        wanted = {name.rsplit(".", 1)[-1] for name in there} if names == "all" else set(names)
        missing = wanted - {name.rsplit(".", 1)[-1] for name in there}
        if missing or not there:
            have = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in there})) or "no linear module"
            raise ValueError(
                f"adapter.targets.{component}: no module named {', '.join(sorted(missing)) or 'at all'}; it has {have}"
            )
        chosen += [name for name in there if name.rsplit(".", 1)[-1] in wanted]
    return chosen


INPUT_NORMS = ("input_layernorm", "layer_norm1", "norm1", "layernorm_before", "ln_1")
"""How families call the norm before a block's attention."""


def input_norms(net: nn.Module, model: Model, components: Sequence[str]) -> dict[str, list[str]]:
    """Component -> full names of its blocks' input norms, in order.

    Raises ValueError where a component has no blocks, or a block no norm of a known name, with what there is.
    """
    found: dict[str, list[str]] = {}
    for component in components:
        if component not in model.components:
            raise ValueError(f"adapter.components: no {component}; the model has {', '.join(model.components)}")
        stacks = [path for path in model.blocks if _inside(path, model.components[component])]
        if not stacks:
            raise ValueError(f"adapter.components: {component} has no blocks; blocks are in {', '.join(model.blocks)}")
        blocks = {f"{path}.{n}": block for path in stacks for n, block in net.get_submodule(path).named_children()}
        found[component] = [f"{name}.{_input_norm(name, block)}" for name, block in blocks.items()]
    return found


def _input_norm(name: str, block: nn.Module) -> str:
    there = dict(block.named_children())
    for norm in INPUT_NORMS:
        if norm in there:
            return norm
    raise ValueError(f"adapter: {name} has none of {', '.join(INPUT_NORMS)}; it has {', '.join(there)}")


def _inside(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def as_regex(names: Sequence[str]) -> str:
    """One regular expression that matches just these full names, numbers of blocks folded: short enough to read."""
    stems = dict.fromkeys(re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(name), count=1) for name in names)
    return "|".join(stems)


def _linears(net: nn.Module, prefixes: Sequence[str]) -> Iterator[str]:
    for name, module in net.named_modules():
        if _inside(name, prefixes) and isinstance(module, nn.Linear):  # bitsandbytes' linears are nn.Linear too
            yield name
