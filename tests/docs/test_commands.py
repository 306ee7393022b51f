"""Check that every command in the README, the docs, the records and the recipes can be given as it is written."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from typer.main import get_command

from circuitvlm.runtime.config.check import ConfigError, check, check_evaluation
from circuitvlm.runtime.config.compose import compose
from circuitvlm.serving.cli.app import app

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
ADDING = ROOT / "docs" / "adding.md"
PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "experiments/*.md", "conf/**/*.yaml", "Makefile")
BLOCK_OR_CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.M | re.S)
INDENTED = re.compile(
    r"^ {4}(\S.*)$|^#\s{2,}(\S.*)$|^\t(\S.*)$", re.M
)  # Markdown's indented code, YAML comments, recipes
COMMAND = re.compile(
    r"^(?:\$ )?(?:[A-Z_]+=\S* +)*(?:srun +)?(?:\$\(BIN\)/)?(make|circuitvlm|torchrun|deepspeed|python)(?= |$)(.*)$"
)


def commands_in(text: str) -> list[str]:
    """The commands of a page: in fenced or indented blocks, in backticks, in comments of a YAML file."""
    joined = text.replace("\\\n", " ")
    blocks = (block or code for block, code in BLOCK_OR_CODE.findall(joined))
    indented = (next(filter(None, found)) for found in INDENTED.findall(joined))
    lines = (line.strip() for part in (*blocks, *indented) for line in part.splitlines())
    whole = (
        line for line in lines if not re.search(r"\$\((?!BIN\))|\$\$", line)
    )  # a variable of make may hold anything
    return list(dict.fromkeys(line for line in whole if COMMAND.search(line)))


def documented() -> Iterator[tuple[str, str]]:
    """Page and command, each command once."""
    known: set[str] = set()
    for page in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        for command in commands_in(page.read_text(encoding="utf-8")):
            if page == ADDING and "train.py" in command:
                continue  # these name parts that the page creates; test_adding.py composes them in a copy
            if command not in known:
                known.add(command)
                yield str(page.relative_to(ROOT)), command


def faults(command: str) -> list[str]:
    """Why this command cannot be given; the empty list for a right one."""
    found = COMMAND.search(command)
    assert found is not None, f"no command: {command!r}"
    program, rest = found.group(1), found.group(2)
    if program == "make":
        return _make_faults(_words(rest))
    if program == "circuitvlm":
        return [fault for words in _alternatives(rest) for fault in _shell_faults(words)]
    return _python_faults(_words(rest), launcher=program != "python")


def _words(text: str) -> list[str]:
    """The words before a comment, a pipe or a redirection; `..` stands for words that are left out."""
    words = shlex.split(text.replace("\\|", "|").replace("$$", "$"), comments=True)
    ended = itertools.takewhile(lambda word: word not in ("|", ">", "||", "&&", ";"), words)
    return [word for word in ended if word.strip(".") and not word.startswith("$")]


def _alternatives(rest: str) -> list[list[str]]:
    """`draw | solve | deck` names several commands, each by one word."""
    parts = rest.replace("\\|", "|").split(" | ")
    return (
        [[part.strip()] for part in parts]
        if len(parts) > 1 and all(" " not in p.strip() for p in parts)
        else [_words(rest)]
    )


def _make_faults(words: list[str]) -> list[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = [word for word in words if "=" not in word]
    return [f"make has no target {word!r}" for word in named if word not in targets]


def _shell_faults(words: list[str]) -> list[str]:
    """Unknown commands and options, and more arguments than the command takes."""
    if not words:
        return []
    commands: dict[str, Any] = getattr(get_command(app), "commands", {})
    if words[0] not in commands:
        return [f"circuitvlm has no command {words[0]!r}"]
    if words[0] == "doctor":
        return _train_faults(words[1:])
    options = {
        name: p for p in commands[words[0]].params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")
    }
    unknown = [
        word for word in words[1:] if word.startswith("--") and word.partition("=")[0] not in {*options, "--help"}
    ]
    return [f"circuitvlm {words[0]} has no option {word}" for word in unknown]


def _python_faults(words: list[str], *, launcher: bool) -> list[str]:
    if launcher:
        words = list(itertools.dropwhile(lambda word: not word.endswith(".py"), words))
    if not words or words[0] == "-m":
        return []  # a launcher or a module that is mentioned, without a script of ours
    script, *arguments = words
    if script == "train.py":
        return _train_faults(arguments)
    if script == "eval.py":
        return _eval_faults(arguments)
    return [] if (ROOT / script).is_file() else [f"there is no script {script}"]


def _train_faults(arguments: list[str]) -> list[str]:
    """The first combination of a sweep stands for all; other commands have just one."""
    options = [word for word in arguments if word.startswith("-")]
    wrong = [f"train.py has no option {word}" for word in options if word not in ("-m", "--multirun", "--help", "-h")]
    overrides = [word for word in arguments if not word.startswith("-")]
    return wrong + list(_config_faults(tuple(map(_first_choice, overrides))))


@cache
def _config_faults(overrides: tuple[str, ...]) -> tuple[str, ...]:
    try:
        check(compose(list(overrides), config_dir=CONF))
    except ConfigError as error:
        return tuple(error.faults)
    except (HydraException, OmegaConfBaseException) as error:
        return (str(error),)
    return ()


def _eval_faults(arguments: list[str]) -> list[str]:
    try:
        check_evaluation(compose(arguments, config_name="eval", config_dir=CONF))
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        return [str(error)]
    return []


def _first_choice(override: str) -> str:
    parsed = OverridesParser.create().parse_override(override)
    if parsed.is_interval_sweep():
        return f"{parsed.get_key_element()}={parsed.value().start}"
    if not parsed.is_sweep_override():
        return override
    return f"{parsed.get_key_element()}={next(iter(parsed.sweep_string_iterator()))}"


@pytest.mark.parametrize(("page", "command"), list(documented()))
def test_a_documented_command_can_be_given(page: str, command: str) -> None:
    assert faults(command) == [], f"{page}: {command}"


def test_enough_commands_are_found() -> None:
    """A change of the pages or of the pattern must not silently leave most commands unchecked."""
    assert len(list(documented())) > 100


WRONG = [
    ("make trian", "no target 'trian'"),
    ("circuitvlm slove deck.cir", "no command 'slove'"),
    ("circuitvlm ask a.png --modle RUN", "no option --modle"),
    ("python train.py experiment=tiny_circuits adapter.rnak=1", "rnak"),
    ("python train.py experiment=tiny_circles", "tiny_circles"),
    ("python train.py -m seed=0,1 steps=3", "steps"),
    ("python eval.py run=RUN items=3", "items"),
    ("torchrun --nproc_per_node 2 train.py trainer=dpd", "dpd"),
    ("python benchmarks/nothing.py", "no script"),
]


@pytest.mark.parametrize(("command", "reason"), WRONG)
def test_a_wrong_command_is_noticed(command: str, reason: str) -> None:
    assert reason in "; ".join(faults(command))
