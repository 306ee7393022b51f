"""What is asked, and how is an answer read? The fields of a document, such as a receipt, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task.extract import json_text, tokens
from circuitvlm.task.extract.reply import Said, parsed

FORMS = {"json": json_text, "tokens": tokens}


class Extract:
    """Asks `prompt` of each example's images for `facts["answer"]`, the JSON text of an object.

    `form` is compact JSON ("json") or Donut's tokens ("tokens"), which cannot tell a list of one from its element.
    Other words around the object do not matter. With `repair`, a reply that was cut off is closed; without, it is
    unreadable. What is read says as `mended` which it was. Replies are read up to 200,000 characters and 64 deep.
    """

    kind: ClassVar[str] = "extract"

    def __init__(
        self, *, prompt: str, form: Literal["json", "tokens"], repair: bool, metrics: Mapping[str, Metric]
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"extract: form is {form!r}; wanted {' or '.join(FORMS)}")
        self.prompt = prompt
        self.form = FORMS[form]
        self.repair = repair
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        return example.facts.get("kind") == self.kind and isinstance(example.facts.get("answer"), str)

    def ask(self, example: Example) -> Dialogue:
        """Raises ValueError for an example without an object, or with one that the form cannot write."""
        turn = Turn(role="user", text=self.prompt, images=example.images)
        try:
            reply = self.form.write(self._answer(example))
        except ValueError as error:
            raise ValueError(f"example {example.id!r}: {error}") from error
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=reply)

    def read(self, text: str) -> Said | None:
        """The object that a reply states, or None where it states none."""
        said: Said | None = self.form.read(text, repair=self.repair)
        return said

    def truth(self, example: Example) -> Said:
        """What is read out of a perfect reply. Raises ValueError."""
        return Said(self.form.normalise(self._answer(example)), mended="")

    def _answer(self, example: Example) -> dict[str, Any]:
        if not self.fits(example):
            raise ValueError(
                f"example {example.id!r}: the extract task needs kind 'extract' and facts['answer'];"
                f" it has kind {example.facts.get('kind')!r} and {sorted(example.facts)}"
            )
        try:
            value = parsed(str(example.facts["answer"]), strict=True)
        except (RecursionError, ValueError) as error:
            raise ValueError(f"example {example.id!r}: facts['answer'] is no JSON ({error})") from error
        if not isinstance(value, dict):
            raise ValueError(f"example {example.id!r}: facts['answer'] is a {type(value).__name__}, wanted an object")
        return value
