"""Find the questions in the generator's JSON files: labels, symbolic equations, and questions with measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from circuitvlm.data._reading.files import DataFileError, UnusableError, read_json, resolve_inside
from circuitvlm.data._reading.images import RASTER, VECTOR
from circuitvlm.data.circuitsense.kinds import normalize_probe, unit_of_probe
from circuitvlm.data.circuitsense.raw import QuestionRef, RawQuestion, check_texts, unusable_loader

LABELS, EQUATIONS, QUESTIONS = "labels.json", "symbolic_equations.json", "circuit_qa_dataset.json"
FILES = (LABELS, EQUATIONS, QUESTIONS)

TRANSFER = "What is the transfer function from {source} to {output} in this circuit?"
"""The question of the benchmark's own items."""

NETLIST = "What is the netlist of this circuit?"
NODAL = "What are the nodal equations of this circuit in the {domain} domain?"
"""As the two above, for entries without a question."""

UNITS = {"current": "A", "voltage": "V"}
_NO_CONTENT = "entry that states nothing"

Object = Mapping[str, Any]


def is_generator_file(file: str) -> bool:
    """Whether a path is one of the generator's files, or an image that they may name."""
    path = PurePosixPath(file)
    return path.name in FILES or path.suffix.lower() in (*RASTER, VECTOR)


def find_questions(root: Path, files: Iterable[str]) -> Iterator[QuestionRef]:
    """The questions of every folder below a root with one of the generator's files. Raises DataFileError."""
    folders: dict[str, set[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.name in FILES:
            folders.setdefault(path.parent.as_posix(), set()).add(path.name)
    for folder in sorted(folders):
        yield from _Folder(root / folder, "" if folder == "." else f"{folder}/", names=folders[folder]).find_questions()


@dataclass(frozen=True, slots=True)
class _File:
    """One of the files of a folder: its value, or why it cannot be used."""

    path: Path
    value: Any = None
    fault: str = ""

    def rows(self, key: str) -> list[Any]:
        """The list under a key of the outermost object; empty without a file. Raises DataFileError."""
        if self.value is None:
            return []
        rows = self.value.get(key) if isinstance(self.value, Mapping) else None
        if not isinstance(rows, list):
            raise DataFileError(
                f"{self.path}: expected an object with a list {key!r}, got a {type(self.value).__name__} without it"
            )
        return rows


class _Folder:
    """The files of one folder together, since they are about the same circuits."""

    def __init__(self, folder: Path, prefix: str, *, names: Iterable[str]) -> None:
        self.folder, self.prefix = folder, prefix
        files = {name: _read(folder / name) for name in sorted(names)}
        self.faults = {name: file.fault for name, file in files.items() if file.fault}
        for name in FILES:
            files.setdefault(name, _File(folder / name))
        labels = files[LABELS].value
        if not (labels is None or isinstance(labels, Mapping)):
            raise DataFileError(f"{folder / LABELS}: expected an object of ids, got a {type(labels).__name__}")
        self.labels: Object = labels or {}
        self.equation_rows = files[EQUATIONS].rows("results")
        self.question_rows = files[QUESTIONS].rows("questions")
        self.netlists = self._find_netlists()

    def find_questions(self) -> Iterator[QuestionRef]:
        for name, fault in self.faults.items():
            part = "qa" if name == QUESTIONS else "generated"
            yield QuestionRef(f"{self.prefix}{name}", part, unusable_loader(fault, name))
        for circuit, label in self.labels.items():
            yield self._label(circuit, label)
        for number, row in enumerate(self.equation_rows):
            yield from self._equations(row, number=number)
        for number, row in enumerate(self.question_rows):
            yield self._question(row, number=number)

    def _find_netlists(self) -> dict[str, str]:
        """The netlist by which each circuit is compared with others, the same for its questions in all files."""
        netlists: dict[str, str] = {}
        for rows, keys in (
            (self.equation_rows, ("cleaned_netlist",)),
            (self.question_rows, ("original_netlist", "circuit_netlist")),
        ):
            for row in rows:
                if isinstance(row, Mapping):
                    texts = [row[key] for key in keys if isinstance(row.get(key), str) and row[key].strip()]
                    if texts:
                        netlists.setdefault(_text(row, "circuit_id"), texts[0])
        for circuit, label in self.labels.items():
            text = label if isinstance(label, str) else _text(label, "netlist") if isinstance(label, Mapping) else ""
            if text.strip():
                netlists.setdefault(circuit, text)
        return netlists

    def _ref(self, part: str, name: str, load: Callable[[], RawQuestion]) -> QuestionRef:
        return QuestionRef(f"{part}/{self.prefix}{name}", part, load)

    def _load(self, circuit: str, *, image: str = "", **fields: Any) -> RawQuestion:
        # An entry without an answer often has no image either: the missing answer is the reason to count.
        check_texts(fields["question"], answer=fields["answer"])
        return RawQuestion(
            circuit=f"{self.prefix}{circuit}",
            topology_netlist=self.netlists.get(circuit, ""),
            images=(self._find_image(circuit, image),),
            **fields,
        )

    def _find_image(self, circuit: str, image: str) -> Path:
        """The image that an entry names, else the one with the name of its circuit. Raises UnusableError."""
        names = [image] if image else [f"{circuit}{suffix}" for suffix in (*RASTER, VECTOR)]
        for name in names:
            for path in (resolve_inside(self.folder, name), resolve_inside(self.folder / "images", name)):
                if path.is_file():
                    return path
        raise UnusableError("no image", names)

    def _label(self, circuit: str, label: Any) -> QuestionRef:
        """The question of a label: of the generator a netlist, of its training script an object with a question."""
        if isinstance(label, str):
            load = partial(self._load, circuit, question=NETLIST, answer=label, netlist=label, kind="netlist")
            return self._ref("generated", f"{circuit}/netlist", load)
        if not isinstance(label, Mapping):
            return self._ref("generated", circuit, unusable_loader(_NO_CONTENT, label))
        load = partial(
            self._load,
            circuit,
            image=_text(label, "image"),
            netlist=_text(label, "netlist") or _text(label, "spice"),
            question=_text(label, "question"),
            answer=_text(label, "answer"),
        )
        return self._ref("generated", circuit, load)

    def _equations(self, row: Any, *, number: int) -> Iterator[QuestionRef]:
        """The transfer functions and nodal equations of one circuit."""
        circuit = _text(row, "circuit_id") if isinstance(row, Mapping) else ""
        if not circuit:
            yield self._ref("generated", f"{EQUATIONS}/{number}", unusable_loader(_NO_CONTENT, row))
            return
        for key, reason in (("skipped", "circuit skipped"), ("error", "circuit with an error")):
            if row.get(key):
                yield self._ref("generated", f"{circuit}/{key}", unusable_loader(reason, row[key]))
                return
        load = partial(self._load, circuit, netlist=_text(row, "cleaned_netlist"))
        for name, answer in _texts(row, "transfer_functions"):
            source, _, output = name.partition("_to_")
            question = TRANSFER.format(source=source, output=output)
            yield self._ref("generated", f"{circuit}/{name}", partial(load, question=question, answer=answer))
        for name, answer in _texts(row, "nodal_equations"):
            if answer:
                domain = {"t_domain": "time", "s_domain": "Laplace (s)"}.get(name, name.removesuffix("_domain"))
                yield self._ref(
                    "generated",
                    f"{circuit}/{name}",
                    partial(load, question=NODAL.format(domain=domain), answer=answer, kind="open"),
                )

    def _question(self, row: Any, *, number: int) -> QuestionRef:
        """One question of the QA file; the published variant of this file has neither measurements nor netlists."""
        circuit = _text(row, "circuit_id") if isinstance(row, Mapping) else ""
        if not circuit:
            return self._ref("qa", f"{QUESTIONS}/{number}", unusable_loader(_NO_CONTENT, row))
        name = f"{circuit}/{_text(row, 'question_id') or f'q{number + 1}'}"
        if row.get("has_answer") is False:
            return self._ref("qa", name, unusable_loader("no answer", row))
        unit = _text(row, "unit") or UNITS.get(_text(row, "measurement_type"), "")
        load = partial(
            self._load,
            circuit,
            question=_text(row, "question"),
            answer=_answer(row, unit=unit),
            netlist=_text(row, "original_netlist") or _text(row, "circuit_netlist"),
        )
        if probe := normalize_probe(_text(row, "measurement_command")):
            load = partial(load, kind="measurement", facts={"probe": probe, "unit": unit or unit_of_probe(probe)})
        return self._ref("qa", name, load)


def _read(path: Path) -> _File:
    try:
        return _File(path, value=read_json(path))
    except UnusableError as error:
        return _File(path, fault=str(error))


def _text(row: Object, key: str) -> str:
    """The text under a key; a number is converted, any other value gives an empty text."""
    value = row.get(key)
    if isinstance(value, str):
        return value
    return "" if value is None or isinstance(value, bool | list | dict) else f"{value}"


def _texts(row: Object, key: str) -> Iterator[tuple[str, str]]:
    """The texts of the object under a key, with their own keys."""
    inner = row.get(key)
    if isinstance(inner, Mapping):
        yield from ((name, _text(inner, name)) for name in inner)


def _answer(row: Object, *, unit: str) -> str:
    """The formatted answer with its unit, else the number with the unit."""
    if formatted_answer := _text(row, "answer_formatted").strip():
        return formatted_answer
    value = row.get("answer")
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:.6g} {unit}".strip()
    return _text(row, "answer")
