"""Print the help page of an entry point, made from the text of its YAML file and from the files of conf/."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from omegaconf import OmegaConf

from circuitvlm.runtime.config.allow_list import NESTED_GROUPS

WIDTH, LABEL_WIDTH = 100, 34
HYDRA_OPTIONS = """\
  --cfg job                       print the composed config, run nothing
  --info                          print how the config is composed
  -m, --multirun                  sweep: run each combination of the values a,b,c of keys and groups
  --hydra-help                    more options of Hydra
"""


def handle_help(path: Path) -> None:
    """Print the page of a YAML file such as conf/train.yaml and exit, if the command line asks for help."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(help_page(path))
        sys.exit(0)


def help_page(path: Path) -> str:
    """The page: the comment at the top of the file, each key with its default and its comment, and the groups."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = list(takewhile(lambda line: line.startswith("#"), lines))
    paragraphs = [
        *(line[2:] for line in header),
        "\nKeys, with their defaults:",
        *_key_lines(lines[len(header) :]),
        "\nConfig groups, with their defaults, and the options of each:",
        *_group_lines(path),
        "\nOptions:",
        HYDRA_OPTIONS,
    ]
    return "\n".join(paragraphs)


def _key_lines(lines: list[str]) -> Iterator[str]:
    """A line for each heading, and the lines of each key, between the defaults list and the section of Hydra."""
    for line in takewhile(lambda line: line != "hydra:", lines):
        if heading := re.fullmatch(r"# (.*)", line):
            yield f"\n {heading[1]}"
        elif key := re.fullmatch(r"(\w+: \S.*?) +# (.*)", line):
            yield _row(key[1], key[2])


def _group_lines(path: Path) -> Iterator[str]:
    """The lines of each group in the file's defaults list, each followed by the groups that are nested in it."""
    defaults = [entry for entry in OmegaConf.load(path).defaults if isinstance(entry, Mapping)]
    for key, default in [item for entry in defaults for item in entry.items()]:
        group = key.removeprefix("override ")
        value = default if isinstance(default, str) else f"[{','.join(default)}]" if default else "null"
        labels = {group: f"{group}={value}"}
        labels |= {name: f"{name} (in a {group})" for name in NESTED_GROUPS.get(group, ()) if name != group}
        for name, label in labels.items():
            folder = path.parent / name
            options = sorted(file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml"))
            if options:
                yield _row(label, ", ".join(options))


def _row(label: str, text: str) -> str:
    """A label with a text beside it, which starts on a line of its own where the label is too long."""
    indent = " " * LABEL_WIDTH
    start = f"  {label}".ljust(LABEL_WIDTH)
    if len(label) > LABEL_WIDTH - 4:
        return f"  {label}\n" + textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return textwrap.fill(text, WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False)
