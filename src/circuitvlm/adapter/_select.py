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


def as_regex(names: Sequence[str]) -> str:
    """One regular expression that matches just these full names, numbers of blocks folded: short enough to read."""
    stems = dict.fromkeys(re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(name), count=1) for name in names)
    return "|".join(stems)


def depth_of(name: str) -> int | None:
    """The number of the block that a module lies in, or None outside the blocks."""
    found = re.search(r"\.(?:layers|blocks)\.(\d+)\.", name)
    return int(found.group(1)) if found else None


def _linears(net: nn.Module, prefixes: Sequence[str]) -> Iterator[str]:
    for name, module in net.named_modules():
        inside = any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
        if inside and isinstance(module, nn.Linear):  # bitsandbytes' linears are nn.Linear too
            yield name
