"""How does a person talk with one model or several, with an image or without? A line is a question, or a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import typer

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import parse_spice
from circuitvlm.core.record import Picture
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.serving import answer as answers
from circuitvlm.serving.answer import harmless
from circuitvlm.serving.cli.columns import FAULTS, speak
from circuitvlm.serving.cli.shell import numbered
from circuitvlm.serving.pieces import Hear

HELP = """\
a line of text            the model's answer to it; each question stands for itself
/task NAME [QUESTION]     a task as the model was trained on it: /task extract, /task choice Which? | this | that
/netlist                  what the model reads in the image
/solve [HZ]               the operating point, or phasors at a frequency: /solve 1k
/tf SOURCE OUTPUT         the transfer function: /tf V1 C1, /tf V1 2, /tf V1 v(2,3)
/draw FILE                a PNG: the image, and beside it what was understood; of several models, FILE-1, FILE-2
/image FILE_OR_URL        ask about another image; /image alone: about none
/help                     this list
/quit                     the end, as is Ctrl-D"""


class ChatError(ValueError):
    """A command that cannot be done, with the reason."""


class Talker(Protocol):
    """Who is talked with (see respond.py)."""

    def netlist(self, picture: Picture | None) -> str: ...

    def read(self, text: str) -> Circuit | None: ...

    def reply(self, picture: Picture | None, question: str, *, hear: Hear | None) -> str: ...

    def say(
        self, name: str, picture: Picture | None, *, question: str | None, options: Sequence[str], hear: Hear | None
    ) -> str: ...


class Chat:
    """An image, or none, and those who are asked about it, by their names; each reads its netlist once.

    `fetch` finds an image by its name.
    """

    def __init__(
        self, talkers: Mapping[str, Talker], picture: Picture | None, *, fetch: Callable[[str], Picture]
    ) -> None:
        self.talkers = talkers
        self.picture = picture
        self.fetch = fetch
        self._texts: dict[str, str] = {}
        self._commands: dict[str, Callable[[str], None]] = {
            "task": self._task,
            "netlist": self._netlist,
            "solve": self._solve,
            "tf": self._tf,
            "draw": self._draw,
            "image": self._image,
            "help": lambda rest: typer.echo(HELP),
        }

    def run(self, lines: Iterable[str]) -> None:
        """Answer line by line until /quit or the end; what goes wrong is told, and the next line is read."""
        for line in lines:
            text = line.strip()
            if text in ("/quit", "/exit", "/q"):
                return
            if not text:
                continue
            try:
                self._line(text)
            except FAULTS as error:
                typer.echo(f"cannot: {harmless(answers.reason(error))}")

    def _line(self, text: str) -> None:
        if not text.startswith("/"):
            self._speak(lambda talker, hear: talker.reply(self.picture, text, hear=hear))
            return
        name, _, rest = text[1:].partition(" ")
        if name not in self._commands:
            raise ChatError(f"there is no /{name}.{suggestion(name, self._commands)} /help lists what there is")
        self._commands[name](rest.strip())

    def _task(self, rest: str) -> None:
        name, _, words = rest.partition(" ")
        if not name:
            raise ChatError("/task wants a task's name, such as /task extract")
        question, *options = (part.strip() for part in words.split("|"))
        self._speak(
            lambda talker, hear: talker.say(name, self.picture, question=question or None, options=options, hear=hear)
        )

    def _netlist(self, rest: str) -> None:
        self._each(lambda name: typer.echo(answers.indented(netlist.format(self._circuit(name), renumber=False))))

    def _solve(self, rest: str) -> None:
        frequency = parse_spice(rest) if rest else 0.0

        def solve(name: str) -> None:
            circuit = self._circuit(name)
            answers.tell_solution(circuit, answers.solve(circuit, frequency), frequency=frequency)

        self._each(solve)

    def _tf(self, rest: str) -> None:
        source, _, output = rest.partition(" ")
        if not output.strip():
            raise ChatError("/tf wants a source and an output, such as /tf V1 C1")
        self._each(
            lambda name: answers.tell_transfer(
                answers.transfer(self._circuit(name), source=source, output=output.strip())
            )
        )

    def _draw(self, rest: str) -> None:
        if not rest:
            raise ChatError("/draw wants a file, such as /draw redrawn.png")
        from circuitvlm.serving.side_by_side import side_by_side  # matplotlib's fonts: not before they are wanted

        files = {
            name: numbered(Path(rest), number if len(self.talkers) > 1 else None)
            for number, name in enumerate(self.talkers, start=1)
        }

        def draw(name: str) -> None:
            picture, said = self._seen(), self._said(name)
            circuit = self.talkers[name].read(said)
            why = "" if circuit is not None else answers.why_unreadable(said)
            files[name].write_bytes(side_by_side(picture.open(), circuit, why=why))
            typer.echo(f"written: {files[name]}")

        self._each(draw)

    def _image(self, rest: str) -> None:
        self.picture = self.fetch(rest) if rest else None
        self._texts = {}
        typer.echo(f"asking about {rest or 'no image'}")

    def _speak(self, say: Callable[[Talker, Hear], object]) -> None:
        """Each says its reply, piece by piece."""

        def speaker(talker: Talker) -> Callable[[Hear], object]:
            return lambda hear: say(talker, hear)

        speak({name: speaker(talker) for name, talker in self.talkers.items()})

    def _each(self, work: Callable[[str], None]) -> None:
        """The same of each, with its name unless it is the only one; what one cannot do, another may."""
        for name in self.talkers:
            if len(self.talkers) > 1:
                typer.echo(f"== {harmless(name)}")
            try:
                work(name)
            except FAULTS as error:
                typer.echo(f"cannot: {harmless(answers.reason(error))}")

    def _circuit(self, name: str) -> Circuit:
        said = self._said(name)
        circuit = self.talkers[name].read(said)
        if circuit is None:
            raise ChatError(f"the model's reply is no netlist ({answers.why_unreadable(said)}):\n{said}")
        return circuit

    def _said(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = self.talkers[name].netlist(self._seen())
        return self._texts[name]

    def _seen(self) -> Picture:
        if self.picture is None:
            raise ChatError("there is no image; /image FILE_OR_URL gives one")
        return self.picture
