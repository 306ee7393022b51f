"""How does a person talk with a model about one circuit? A line is a question, or a command after a slash."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.quantity import parse_spice
from circuitvlm.core.record import Picture
from circuitvlm.runtime.allow import near
from circuitvlm.serving import answer as answers
from circuitvlm.serving.answer import Respondent, harmless

HELP = """\
a line of text            the model's answer to it; each question stands for itself
/netlist                  what the model reads in the image
/solve [HZ]               the operating point, or phasors at a frequency: /solve 1k
/tf SOURCE OUTPUT         the transfer function: /tf V1 C1, /tf V1 2, /tf V1 v(2,3)
/draw FILE                a PNG: the image, and beside it what was understood
/image FILE_OR_URL        ask about another image
/help                     this list
/quit                     the end, as is Ctrl-D"""


class ChatError(ValueError):
    """A command that cannot be done, with the reason."""


class Chat:
    """One image and the netlist that the model reads in it, asked for once. `fetch` finds an image by its name."""

    def __init__(self, respondent: Respondent, picture: Picture, *, fetch: Callable[[str], Picture]) -> None:
        self.respondent = respondent
        self.picture = picture
        self.fetch = fetch
        self._text: str | None = None
        self._commands: dict[str, Callable[[str], None]] = {
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
            except (ValueError, KeyError, OSError) as error:
                typer.echo(f"cannot: {harmless(answers.reason(error))}")

    def _line(self, text: str) -> None:
        if not text.startswith("/"):
            typer.echo(harmless(self.respondent.reply(self.picture, text)))
            return
        name, _, rest = text[1:].partition(" ")
        if name not in self._commands:
            raise ChatError(f"there is no /{name}.{near(name, self._commands)} /help lists what there is")
        self._commands[name](rest.strip())

    def _netlist(self, rest: str) -> None:
        typer.echo(answers.indented(netlist.format(self._circuit(), renumber=False)))

    def _solve(self, rest: str) -> None:
        frequency = parse_spice(rest) if rest else 0.0
        circuit = self._circuit()
        answers.tell_solution(circuit, answers.solve(circuit, frequency), frequency=frequency)

    def _tf(self, rest: str) -> None:
        source, _, output = rest.partition(" ")
        if not output.strip():
            raise ChatError("/tf wants a source and an output, such as /tf V1 C1")
        answers.tell_transfer(answers.transfer(self._circuit(), source=source, output=output.strip()))

    def _draw(self, rest: str) -> None:
        if not rest:
            raise ChatError("/draw wants a file, such as /draw redrawn.png")
        from circuitvlm.serving.side_by_side import side_by_side  # matplotlib's fonts: not before they are wanted

        circuit = self.respondent.read(self._said())
        why = "" if circuit is not None else answers.why_unreadable(self._said())
        Path(rest).write_bytes(side_by_side(self.picture.open(), circuit, why=why))
        typer.echo(f"written: {rest}")

    def _image(self, rest: str) -> None:
        if not rest:
            raise ChatError("/image wants a file or an address")
        self.picture, self._text = self.fetch(rest), None
        typer.echo(f"asking about {rest}")

    def _circuit(self) -> Circuit:
        circuit = self.respondent.read(self._said())
        if circuit is None:
            raise ChatError(
                f"the model's reply is no netlist ({answers.why_unreadable(self._said())}):\n{self._said()}"
            )
        return circuit

    def _said(self) -> str:
        if self._text is None:
            self._text = self.respondent.netlist(self.picture)
        return self._text
