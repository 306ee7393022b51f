"""Which questions do the generator's JSON files state? Labels, symbolic equations, and questions with measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from circuitvlm.data._reading.files import DataFileError, UnusableError, json_of, within
from circuitvlm.data._reading.images import RASTER, VECTOR
from circuitvlm.data.circuitsense.draft import Draft, Found, checked, unusable
from circuitvlm.data.circuitsense.kinds import probe_named

LABELS, EQUATIONS, QUESTIONS = "labels.json", "symbolic_equations.json", "circuit_qa_dataset.json"
FILES = (LABELS, EQUATIONS, QUESTIONS)

TRANSFER = "What is the transfer function from {source} to {output} in this circuit?"
NETLIST = "What is the netlist of this circuit?"
NODAL = "What are the nodal equations of this circuit in the {domain} domain?"
"""The questions of entries that state none. The first is the one that the published items ask."""

UNITS = {"current": "A", "voltage": "V"}

Object = Mapping[str, Any]


def belongs(file: str) -> bool:
    """Whether a path is one of these files, or an image that they may name."""
    path = PurePosixPath(file)
    return path.name in FILES or path.suffix.lower() in (*RASTER, VECTOR)


def found(root: Path, files: Sequence[str]) -> Iterator[Found]:
    """The questions of every folder below a root that holds one of these files. Raises DataFileError."""
    folders: dict[str, set[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.name in FILES:
            folders.setdefault(path.parent.as_posix(), set()).add(path.name)
    for folder in sorted(folders):
        yield from _Folder(root / folder, "" if folder == "." else f"{folder}/", names=folders[folder]).found()


@dataclass(frozen=True, slots=True)
class _File:
    """One of the files of a folder: its objects, or why it cannot be used."""

    path: Path
    value: Any = None
    fault: str = ""

    def listed(self, key: str) -> list[Any]:
        """The list under a key of the outermost object. Raises DataFileError."""
        if self.value is None:
            return []
        rows = self.value.get(key) if isinstance(self.value, Mapping) else None
        if not isinstance(rows, list):
            raise DataFileError(f"{self.path}: wanted an object with a list {key!r}, came {type(self.value).__name__}")
        return rows


class _Folder:
    """What the files of one folder say together: they speak of the same circuits."""

    def __init__(self, folder: Path, where: str, *, names: Iterable[str]) -> None:
        self.folder, self.where = folder, where
        read = {name: _read(folder / name) for name in sorted(names)}
        self.files = {name: read.get(name, _File(folder / name)) for name in FILES}
        self.faults = {name: file.fault for name, file in read.items() if file.fault}
        labels = self.files[LABELS].value
        if not (labels is None or isinstance(labels, Mapping)):
            raise DataFileError(f"{folder / LABELS}: wanted an object of ids, came {type(labels).__name__}")
        self.labels: Object = labels or {}
        self.results = self.files[EQUATIONS].listed("results")
        self.questions = self.files[QUESTIONS].listed("questions")
        self.netlists = self._netlists()

    def found(self) -> Iterator[Found]:
        for name, fault in self.faults.items():
            yield Found(f"{self.where}{name}", "qa" if name == QUESTIONS else "generated", unusable(fault))
        for circuit, label in self.labels.items():
            yield self._label(circuit, label)
        for place, result in enumerate(self.results):
            yield from self._result(result, place=place)
        for place, question in enumerate(self.questions):
            yield self._question(question, place=place)

    def _netlists(self) -> dict[str, str]:
        """By which text each circuit is told from others: one for all its questions, whichever file asks them."""
        known: dict[str, str] = {}
        for rows, keys in (
            (self.results, ("cleaned_netlist",)),
            (self.questions, ("original_netlist", "circuit_netlist")),
        ):
            for row in rows:
                if isinstance(row, Mapping):
                    text = next((row[key] for key in keys if isinstance(row.get(key), str) and row[key].strip()), "")
                    if text:
                        known.setdefault(_text(row, "circuit_id"), text)
        for circuit, label in self.labels.items():
            text = label if isinstance(label, str) else _text(label, "netlist") if isinstance(label, Mapping) else ""
            if text.strip():
                known.setdefault(circuit, text)
        return known

    def _found(self, part: str, name: str, read: Callable[[], Draft]) -> Found:
        return Found(f"{part}/{self.where}{name}", part, read)

    def _draft(self, circuit: str, *, image: str = "", **said: Any) -> Draft:
        # Most entries that cannot be used have no answer: that is the reason to count, with or without an image.
        checked(said["question"], answer=said["answer"])
        return Draft(
            circuit=f"{self.where}{circuit}",
            likeness=self.netlists.get(circuit, ""),
            images=(self._image(circuit, stated=image),),
            **said,
        )

    def _image(self, circuit: str, *, stated: str) -> Path:
        """The image that an entry states, else the one called after its circuit."""
        names = [stated] if stated else [f"{circuit}{suffix}" for suffix in (*RASTER, VECTOR)]
        for name in names:
            for path in (within(self.folder, name), within(self.folder / "images", name)):
                if path.is_file():
                    return path
        raise UnusableError("no image")

    def _label(self, circuit: str, label: Any) -> Found:
        """The generator's labels state a netlist, the trainer's an image, a question and an answer."""
        if isinstance(label, str):
            said = {"question": NETLIST, "answer": label, "netlist": label, "kind": "netlist"}
            return self._found("generated", f"{circuit}/netlist", partial(self._draft, circuit, **said))
        if not isinstance(label, Mapping):
            return self._found("generated", circuit, unusable("entry that states nothing"))
        said = {"question": _text(label, "question"), "answer": _text(label, "answer")}
        netlist = _text(label, "netlist") or _text(label, "spice")
        read = partial(self._draft, circuit, image=_text(label, "image"), netlist=netlist, **said)
        return self._found("generated", circuit, read)

    def _result(self, result: Any, *, place: int) -> Iterator[Found]:
        """The transfer functions and nodal equations of one circuit."""
        circuit = _text(result, "circuit_id") if isinstance(result, Mapping) else ""
        if not circuit:
            yield self._found("generated", f"{EQUATIONS}/{place}", unusable("entry that states nothing"))
            return
        for key, reason in (("skipped", "circuit skipped"), ("error", "circuit with an error")):
            if result.get(key):
                yield self._found("generated", f"{circuit}/{key}", unusable(reason))
                return
        netlist = _text(result, "cleaned_netlist")
        for name, answer in _items(result, "transfer_functions"):
            source, _, output = name.partition("_to_")
            said = {"question": TRANSFER.format(source=source, output=output), "answer": answer, "netlist": netlist}
            yield self._found("generated", f"{circuit}/{name}", partial(self._draft, circuit, **said))
        for name, answer in _items(result, "nodal_equations"):
            if answer:
                domain = {"t_domain": "time", "s_domain": "Laplace (s)"}.get(name, name.removesuffix("_domain"))
                said = {"question": NODAL.format(domain=domain), "answer": answer, "netlist": netlist, "kind": "open"}
                yield self._found("generated", f"{circuit}/{name}", partial(self._draft, circuit, **said))

    def _question(self, row: Any, *, place: int) -> Found:
        """One question of the QA file; the published variant knows neither measurement nor netlist."""
        circuit = _text(row, "circuit_id") if isinstance(row, Mapping) else ""
        if not circuit:
            return self._found("qa", f"{QUESTIONS}/{place}", unusable("entry that states nothing"))
        name = f"{circuit}/{_text(row, 'question_id') or f'q{place + 1}'}"
        if row.get("has_answer") is False:
            return self._found("qa", name, unusable("no answer"))
        unit = _text(row, "unit") or UNITS.get(_text(row, "measurement_type"), "")
        probe = probe_named(_text(row, "measurement_command"))
        said: dict[str, Any] = {
            "question": _text(row, "question"),
            "answer": _answer(row, unit=unit),
            "netlist": _text(row, "original_netlist") or _text(row, "circuit_netlist"),
        }
        if probe:
            said |= {
                "kind": "measurement",
                "facts": {"probe": probe, "unit": unit or ("A" if probe[0] == "i" else "V")},
            }
        return self._found("qa", name, partial(self._draft, circuit, **said))


def _read(path: Path) -> _File:
    try:
        return _File(path, value=json_of(path))
    except UnusableError as error:
        return _File(path, fault=str(error))


def _text(row: Object, key: str) -> str:
    """The text under a key; numbers are written out, anything else is empty."""
    value = row.get(key)
    if isinstance(value, str):
        return value
    return "" if value is None or isinstance(value, bool | list | dict) else f"{value}"


def _items(row: Object, key: str) -> Iterator[tuple[str, str]]:
    inner = row.get(key)
    if isinstance(inner, Mapping):
        yield from ((name, _text(inner, name)) for name in inner)


def _answer(row: Object, *, unit: str) -> str:
    """The answer with its unit, as it was formatted, else made of the number."""
    if formatted := _text(row, "answer_formatted").strip():
        return formatted
    value = row.get("answer")
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:.6g} {unit}".strip()
    return _text(row, "answer")
