"""Define the command chat: questions to one or several models, line by line, about an image or without one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import parse_spice
from circuitvlm.core.record import Picture
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.serving import circuit_answer
from circuitvlm.serving.cli import model as model_command
from circuitvlm.serving.cli.columns import print_replies, reported_errors, run_each
from circuitvlm.serving.cli.common import exit_on_error, numbered_path
from circuitvlm.serving.cli.model import Adapter, AllowPrivate, FourBit, MaxNewTokens, Model
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.fetch_image import fetch_image
from circuitvlm.serving.text import OnText, echo, indent

if TYPE_CHECKING:
    from circuitvlm.serving.predictor import Predictor

HELP = """\
a line of text            a question; the model does not remember earlier questions
/task NAME [QUESTION]     run a task of the model: /task extract, /task choice Which? | first | second
/netlist                  print the netlist that the model reads in the image
/solve [HZ]               print the operating point, or phasors at a frequency: /solve 1k
/tf SOURCE OUTPUT         print the transfer function: /tf V1 C1, /tf V1 2, /tf V1 v(2,3)
/draw FILE                write a PNG with the image and the circuit; for several models FILE-1, FILE-2
/image FILE_OR_URL        use another image; without a name, use none
/help                     print this list
/quit                     end the chat, as Ctrl-D does"""


def chat(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|IMAGE",
            help="Folders of runs, adapters or checkpoints, and at most one image file or http(s) address. "
            "run=NAME and image=NAME state which it is. run=OWNER/NAME is a model on the hub.",
        ),
    ] = None,
    model: Model = None,
    adapter: Adapter = None,
    max_new_tokens: MaxNewTokens = None,
    four_bit: FourBit = False,
    allow_private: AllowPrivate = False,
) -> None:
    """Ask one model or several questions line by line, about an image or without one.

    A line is a question in free text. /task runs a task that the model was trained for.
    /netlist, /solve, /tf and /draw print or draw what follows exactly from the netlist that the model reads.
    /help lists all commands. Lines may come through a pipe. Ctrl-D ends the chat.
    With runs as arguments, --model is their base model. The replies of several models are shown side by side.

    \b
    Examples:
    circuitvlm chat circuit.png
    circuitvlm chat circuit.png --adapter runs/tiny_circuits/plain-44136fa3
    circuitvlm chat runs/lavin_7b/plain-44136fa3 runs/lavin_7b_cyclical/plain-44136fa3 magnets.png
    circuitvlm chat run=runs/lavin_7b/plain-44136fa3 run=runs/lavin_7b_step/plain-44136fa3
    printf '/netlist\\n/solve 1k\\n' | circuitvlm chat circuit.png
    """
    with exit_on_error(), TemporaryDirectory() as folder:

        def fetch(name: str) -> Picture:
            return fetch_image(name, folder=Path(folder), allow_private=allow_private)

        runs: list[str] = []
        images: list[str] = []
        for name in names or ():
            (runs if _is_model(name) else images).append(name.removeprefix("run=").removeprefix("image="))
        _check_names(runs, images, adapter=adapter)
        picture = fetch(images[0]) if images else None
        sources: list[tuple[str | None, str | None]] = [(model or run, run if model else None) for run in runs]
        predictors = {
            title: model_command.load_predictor(*source, max_new_tokens=max_new_tokens, four_bit=four_bit)
            for title, source in zip(_short_names(runs) or [""], sources or [(model, adapter)], strict=True)
        }
        session = Chat(predictors, picture, fetch=fetch)
        if sys.stdin.isatty():
            echo(HELP, to_stderr=True)
        prompt = "> " if sys.stdin.isatty() else ""
        with suppress(EOFError):  # the end of the input
            session.run(iter(partial(input, prompt), "/quit"))


class Chat:
    """The models by their names, and the image that they are asked about, or None.

    Each model reads the netlist of an image once. `fetch` opens an image by its name.
    """

    def __init__(
        self, predictors: Mapping[str, Predictor], picture: Picture | None, *, fetch: Callable[[str], Picture]
    ) -> None:
        self.predictors = predictors
        self.picture = picture
        self.fetch = fetch
        self._netlist_replies: dict[str, str | CutReplyError] = {}
        self._commands: dict[str, Callable[[str], None]] = {
            "task": self._run_task,
            "netlist": self._print_netlist,
            "solve": self._solve,
            "tf": self._print_transfer,
            "draw": self._draw,
            "image": self._set_image,
            "help": lambda argument: echo(HELP),
        }

    def run(self, lines: Iterable[str]) -> None:
        """Answer each line until /quit or the end; an error is printed, and the next line is read."""
        for line in map(str.strip, lines):
            if line in ("/quit", "/exit", "/q"):
                return
            if line:
                with reported_errors():
                    self._answer_line(line)

    def _answer_line(self, line: str) -> None:
        if not line.startswith("/"):
            self._print_replies(
                lambda predictor, on_text: predictor.answer_question(self.picture, line, on_text=on_text)
            )
            return
        name, _, argument = line[1:].partition(" ")
        if name not in self._commands:
            raise ValueError(f"expected a command that /help lists, got /{name}.{suggestion(name, self._commands)}")
        self._commands[name](argument.strip())

    def _run_task(self, argument: str) -> None:
        name, _, text = argument.partition(" ")
        if not name:
            raise ValueError(f"/task: expected the name of a task, such as /task extract, got {argument!r}")
        question, *options = (part.strip() for part in text.split("|"))
        self._print_replies(
            lambda predictor, on_text: predictor.run_task(
                name, self.picture, question=question or None, options=options, on_text=on_text
            )
        )

    def _print_netlist(self, argument: str) -> None:
        run_each(self.predictors, lambda name: echo(indent(netlist.format(self._circuit(name), renumber=False))))

    def _solve(self, argument: str) -> None:
        frequency = parse_spice(argument) if argument else 0.0

        def solve(name: str) -> None:
            circuit = self._circuit(name)
            solution = circuit_answer.solve(circuit, frequency)
            circuit_answer.print_solution(circuit, solution, frequency=frequency)

        run_each(self.predictors, solve)

    def _print_transfer(self, argument: str) -> None:
        source, _, output = argument.partition(" ")
        if not output.strip():
            raise ValueError(f"/tf: expected a source and an output, such as /tf V1 C1, got {argument!r}")

        def derive(name: str) -> None:
            transfer = circuit_answer.derive_transfer(self._circuit(name), source, output.strip())
            circuit_answer.print_transfer(transfer)

        run_each(self.predictors, derive)

    def _draw(self, argument: str) -> None:
        if not argument:
            raise ValueError(f"/draw: expected a file, such as /draw redrawn.png, got {argument!r}")
        numbers = {name: i for i, name in enumerate(self.predictors, start=1)} if len(self.predictors) > 1 else {}

        def draw(name: str) -> None:
            file, text = numbered_path(Path(argument), numbers.get(name)), self._netlist_text(name)
            circuit = self.predictors[name].netlist_task.read(text)
            file.write_bytes(circuit_answer.redraw(self._require_picture(), circuit, text))
            echo(f"written: {file}")

        run_each(self.predictors, draw)

    def _set_image(self, argument: str) -> None:
        self.picture = self.fetch(argument) if argument else None
        self._netlist_replies = {}
        echo(f"image: {argument or 'none'}")

    def _print_replies(self, generate: Callable[[Predictor, OnText], object]) -> None:
        print_replies({name: partial(generate, predictor) for name, predictor in self.predictors.items()})

    def _circuit(self, name: str) -> Circuit:
        text = self._netlist_text(name)
        circuit = self.predictors[name].netlist_task.read(text)
        if circuit is None:
            raise ValueError(f"expected a netlist, got another reply ({circuit_answer.parse_error(text)}):\n{text}")
        return circuit

    def _netlist_text(self, name: str) -> str:
        """The netlist reply of a model, which it generates once for each image. Raises CutReplyError each time."""
        if name not in self._netlist_replies:
            try:
                self._netlist_replies[name] = self.predictors[name].predict_netlist(self._require_picture())
            except CutReplyError as error:
                self._netlist_replies[name] = error
        if isinstance(reply := self._netlist_replies[name], CutReplyError):
            raise reply
        return reply

    def _require_picture(self) -> Picture:
        if self.picture is None:
            raise ValueError("expected an image, got none; /image FILE_OR_URL sets one")
        return self.picture


def _is_model(name: str) -> bool:
    """Whether an argument names a model: it starts with run= or is a folder. Any other argument is an image."""
    return name.startswith("run=") or (not name.startswith("image=") and Path(name).expanduser().is_dir())


def _check_names(runs: Sequence[str], images: Sequence[str], *, adapter: str | None) -> None:
    """Refuse wrong combinations of arguments before a model is loaded."""
    if len(images) > 1:
        raise ValueError(f"expected at most one image, got {' and '.join(images)}, which are not folders of runs")
    if runs and adapter:
        raise ValueError(f"--adapter: expected it without runs, got {adapter} and {' '.join(runs)}; name it as a run")
    if duplicates := sorted({run for run in runs if runs.count(run) > 1}):
        raise ValueError(f"expected different runs, got {', '.join(duplicates)} twice")


def _short_names(runs: Sequence[str]) -> list[str]:
    """The shortest ends of the paths that differ from each other."""
    paths = [Path(run).parts for run in runs]
    for length in range(1, max(map(len, paths), default=0) + 1):
        ends = ["/".join(parts[-length:]) for parts in paths]
        if len(set(ends)) == len(ends):
            return ends
    return list(runs)
