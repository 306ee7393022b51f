"""Ask for the fields of a document, such as a receipt, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from circuitvlm.core.contract import Metric
from circuitvlm.core.record import Dialogue, Example, Turn
from circuitvlm.task.extract import json_text, tokens
from circuitvlm.task.extract.reply import ReadObject, parse_json

FORMS = {"json": json_text, "tokens": tokens}


class Extract:
    """Ask `prompt` about the images of an example; the reply is `facts["answer"]`, the JSON text of an object.

    `form` is compact JSON ("json") or Donut's tokens ("tokens"), which cannot tell a list of one from its element.
    Other text around the object is ignored. With `repair`, a reply that was cut off is closed; without, it is
    unreadable. Replies are read up to 200,000 characters and 64 levels.
    """

    kind: ClassVar[str] = "extract"

    def __init__(
        self, *, prompt: str, form: Literal["json", "tokens"], repair: bool, metrics: Mapping[str, Metric]
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"task extract: form: expected {' or '.join(FORMS)}, got {form!r}")
        self.prompt = prompt
        self.form = FORMS[form]
        self.repair = repair
        self.metrics = metrics

    def fits(self, example: Example) -> bool:
        return example.facts.get("kind") == self.kind and isinstance(example.facts.get("answer"), str)

    def ask(self, example: Example) -> Dialogue:
        """Raises ValueError for an example without an object, or with one that the form cannot write."""
        turn = Turn(role="user", text=self.prompt, images=example.images)
        answer = self._answer(example)
        try:
            reply = self.form.write(answer)
        except ValueError as error:
            raise ValueError(f"example {example.id!r}: {error}") from error
        return Dialogue(id=example.id, task=example.task, prompt=(turn,), reply=reply)

    def read(self, text: str) -> ReadObject | None:
        """The object that a reply states, or None."""
        fields: ReadObject | None = self.form.read(text, repair=self.repair)
        return fields

    def truth(self, example: Example) -> ReadObject:
        """The fields that are read from a perfect reply. Raises ValueError."""
        return ReadObject(self.form.normalise(self._answer(example)), mended="")

    def _answer(self, example: Example) -> dict[str, Any]:
        if not self.fits(example):
            raise ValueError(
                f"example {example.id!r}: expected kind 'extract' and facts['answer'], got kind "
                f"{example.facts.get('kind')!r} and {sorted(example.facts)}"
            )
        try:
            value = parse_json(str(example.facts["answer"]), strict=True)
        except (RecursionError, ValueError) as error:
            raise ValueError(
                f"example {example.id!r}: facts['answer']: expected JSON, got {example.facts['answer']!r:.80} ({error})"
            ) from error
        if not isinstance(value, dict):
            raise ValueError(
                f"example {example.id!r}: facts['answer']: expected a JSON object, got a {type(value).__name__}"
            )
        return value
