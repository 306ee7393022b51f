"""Record the numbers that a refactoring must not change, to the last bit, and compare two records.

Run it in the root of a checkout, before and after the change, on the same machine:

    OMP_NUM_THREADS=1 python benchmarks/fingerprint.py --out after.json --against before.json

It trains 20 steps of a small run of every model family on the CPU and grades some replies. It also records learning
rates, drawings, generated and read data, dialogues, netlists, voltages and verdicts about formulas. All names that a
refactoring may change are in the first half: imports, keys of the config, and names of files.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, uint8

# ------------------------------------------------------------------------- names that may change: modules and functions
import circuitvlm
from circuitvlm.circuit import draw, generate, netlist
from circuitvlm.circuit.draw import STYLES
from circuitvlm.circuit.generate import grid
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.equivalence import compare
from circuitvlm.circuit.judge.verdict import equal_expressions, matches_circuit
from circuitvlm.circuit.netlist import NetlistError
from circuitvlm.circuit.solve import numeric
from circuitvlm.circuit.solve.numeric import SingularCircuitError, UnsolvableDeviceError
from circuitvlm.circuit.solve.symbolic import transfer_function
from circuitvlm.core.contract import Source, Task
from circuitvlm.core.record import Dialogue, Example
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.compose import compose

GRID_STYLE = "circuitsense"
"""The style whose circuits are generated on a grid (`grid.item`)."""

NETLIST_ERRORS = (NetlistError, SingularCircuitError, UnsolvableDeviceError)
"""Errors of a netlist that cannot be read or solved."""


def dialogue_content(dialogue: Dialogue) -> list[Any]:
    """The prompt, reply and choices of a dialogue, without the names of its fields."""
    return [[[turn.role, turn.text, len(turn.images)] for turn in dialogue.prompt], dialogue.reply, dialogue.choices]


# ----------------------------------------------------------------------------------- names that may change: config keys

STEPS, GRADED_ITEMS = 20, 24

COMMON = (
    f"max_steps={STEPS}",
    "max_epochs=null",
    "max_minutes=null",
    "baselines=null",
    "global_batch_size=8",
    "micro_batch_size=4",
    "eval_batch_size=8",
    f"validate_every_n_steps={STEPS}",
    "validate_items=4",
    "eval_splits=[{graded}]",
    f"eval_items={GRADED_ITEMS}",
    "log_every_n_steps=1",
    "logger=csv",
    "callback=[learning_rate]",
    "num_workers=0",
    "trainer=cpu",
    "model.cache={scratch}/models",
    "folder={scratch}/runs/{name}",
)
"""Overrides of every run, with its `{name}`, the graded split `{graded}` and a temporary folder `{scratch}`."""

EVAL_OVERRIDES = (
    "run={scratch}/runs/{name}",
    f"max_samples={GRADED_ITEMS}",
    "splits=[{graded}]",
    "out={scratch}/graded/{name}",
)
"""Overrides of `eval.py`."""


@dataclass(frozen=True)
class TrainingRun:
    """A run by its overrides, the graded split ("" for none), and whether `eval.py` grades its saved adapter too."""

    name: str
    overrides: tuple[str, ...]
    graded: str = ""
    evaluate: bool = False

    def words(self, words: Iterable[str], *, scratch: Path) -> list[str]:
        """The words of the command line, with the placeholders replaced."""
        return [word.format(scratch=scratch, name=self.name, graded=self.graded) for word in words]


CIRCUITS = (
    "data.circuits.num_workers=0",
    "data.circuits.splits.train.count=160",
    "data.circuits.splits.validation.count=8",
    f"data.circuits.splits.test_seen.count={GRADED_ITEMS}",
)
LLAVA = ("experiment=llava_netlist_qlora", "model=llava_tiny", "max_new_tokens=16", *CIRCUITS)

RUNS = (
    TrainingRun("qwen2_vl", ("experiment=tiny_circuits", *CIRCUITS), graded="test_seen", evaluate=True),
    TrainingRun(
        "qwen2_vl_receipts",
        (
            "experiment=tiny_receipts",
            "~data.own",
            "data.receipts.num_workers=0",
            "data.receipts.splits.train.count=160",
            "data.receipts.splits.validation.count=8",
            f"data.receipts.splits.test_seen.count={GRADED_ITEMS}",
        ),
        graded="test_seen",
    ),
    TrainingRun(
        "qwen2_vl_questions",
        (
            "experiment=tiny_circuit_qa",
            "data.circuit_questions.num_workers=0",
            "data.circuit_questions.splits.train.count=160",
            "data.circuit_questions.splits.validation.count=8",
            f"data.circuit_questions.splits.test_topology.count={GRADED_ITEMS}",
        ),
        graded="test_topology",
    ),
    TrainingRun("projector", ("experiment=tiny_digits",), graded="test"),
    TrainingRun(
        "lavin",
        (
            "experiment=tiny_lavin",
            "data.science_circuits.num_workers=0",
            "data.science_circuits.splits.train.count=160",
            "data.science_circuits.splits.validation.count=8",
            f"data.science_circuits.splits.test.count={GRADED_ITEMS}",
        ),
        graded="test",
        evaluate=True,
    ),
    TrainingRun("llava", LLAVA),
    TrainingRun(
        "llava_next",
        (
            *LLAVA,
            "model._target_=circuitvlm.model.llava.LlavaNext",
            "+model.shape.grids=[[56,112],[112,56],[112,112]]",
            "objective=reply_sample",
            "adapter=ia3",
            "~adapter.rank",
            "~adapter.alpha",
            "dropout=constant_none",
        ),
    ),
    TrainingRun(
        "idefics3",
        (
            "experiment=tiny_circuits",
            "model=idefics3_tiny",
            "quantization=none",
            "precision=32-true",
            "dropout=geometric_increasing",
            "max_new_tokens=16",
            *CIRCUITS,
        ),
    ),
)


@dataclass(frozen=True)
class DataChoice:
    """Sources and tasks by overrides, and the number of items of a split."""

    name: str
    overrides: tuple[str, ...]
    count: int = 20


SOLVED_TASKS = (
    "measurement,measurement_executed,transfer_function,transfer_function_executed,impedance,impedance_executed"
)

SOURCES = (
    DataChoice("circuits", ("data=circuits", "task=netlist")),
    DataChoice(
        "circuit_questions", ("data=circuit_questions", f"task=[{SOLVED_TASKS},perception,choice,netlist]"), count=80
    ),
    DataChoice("receipts", ("data=receipts", "task=[extract]")),
    DataChoice("receipts_tokens", ("data=receipts", "task=[extract_tokens]")),
    DataChoice(
        "science_circuits", ("data=science_circuits", "data.science_circuits.templates=quiz", "task=[choice_scienceqa]")
    ),
    DataChoice(
        "science_rationales",
        ("data=science_circuits", "data.science_circuits.templates=quiz", "task=[rationale_lavin]"),
    ),
    DataChoice("digits", ("data=digits", "task=[digit]")),
    DataChoice("digit_words", ("data=digit_words", "task=[instruct]")),
    DataChoice(
        "circuitsense", ("data=circuitsense", f"task=[{SOLVED_TASKS},netlist,equation,number,choice,free_text]")
    ),
    DataChoice("cord", ("data=cord", "task=[extract]")),
    DataChoice("scienceqa", ("data=scienceqa", "task=[choice_scienceqa]")),
    DataChoice("netlist_pairs", ("data=netlist_pairs", "task=netlist")),
    DataChoice("instructions", ("data=instructions", "task=[instruct]")),
    DataChoice("digits_mnist", ("data=digits_mnist", "task=[digit]"), count=12),
)

ROOTS = {"digits_mnist": "digits"}
"""Source -> folder of its fixtures, where that has another name."""


def shrink(section: Any, *, count: int, scratch: Path, fixture: Path) -> Any:
    """The settings of sources with few items, a temporary cache, no processes, and fixtures to read."""
    if not isinstance(section, Mapping):
        return section
    settings = {key: shrink(value, count=count, scratch=scratch, fixture=fixture) for key, value in section.items()}
    if isinstance(settings.get("count"), int):
        settings["count"] = min(settings["count"], count)
    local_values = {"cache": str(scratch / "data"), "num_workers": 0, "root": str(fixture)}
    return {**settings, **{key: value for key, value in local_values.items() if key in settings}}


def build_parts(choice: DataChoice, *, root: Path, scratch: Path) -> tuple[Mapping[str, Source], Mapping[str, Task]]:
    """The sources and the tasks of a config; the sources are made small."""
    config = OmegaConf.to_container(compose(["~experiment", *choice.overrides], config_dir=root / CONF), resolve=True)
    assert isinstance(config, dict), "a config is a mapping"
    fixture = root / FIXTURES / ROOTS.get(choice.name, choice.name)
    sources = shrink(config["data"], count=choice.count, scratch=scratch, fixture=fixture)
    return instantiate(sources), instantiate(config["tasks"])


# -------------------------------------------------------------------------- names that may change: files and their keys

TRAIN, EVALUATE = "train.py", "eval.py"
CONF, SCHEDULES = "conf", "conf/schedule"
FIXTURES, CORPUS = "tests/fixtures", "tests/fixtures/netlists/corpus.json"
FORMULAS = Path(__file__).with_name("fingerprint_formulas.json")
"""Pairs of formulas."""

METRICS, LOSS, COUNTERS = "csv/metrics.csv", "train/loss", ("epoch", "step")
ADAPTER, REPLIES, SCORES = "adapter", "replies", "scores.json"


def graded_items(path: Path) -> Iterator[list[Any]]:
    """Yield the id, reply, expected reply and sorted scores of each graded reply."""
    for item in json.loads(path.read_text(encoding="utf-8"))["items"]:
        yield [item["id"], item["reply"], item["wanted"], sorted(map(exact, item["scores"].values()))]


# --------------------------------------------------------------------------------------------------------------- hashes


def exact(value: Any) -> str:
    """All bits of a number, real or complex, as text."""
    if isinstance(value, complex):
        return f"{value.real.hex()} {value.imag.hex()}"
    return float(value).hex()


def drop_keys(value: Any) -> Any:
    """A value as JSON, with each mapping as the sorted list of its values: keys may be renamed."""
    if isinstance(value, Mapping):
        return sorted((drop_keys(part) for part in value.values()), key=json.dumps)
    if isinstance(value, (list, tuple)):
        return [drop_keys(part) for part in value]
    if isinstance(value, float):
        return exact(value)
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def hash_json(values: Iterable[Any]) -> str:
    """The hash of a list of JSON values."""
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()


def hash_pixels(pictures: Iterable[Image.Image]) -> str:
    """The hash of the pixels of pictures."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.mode} {picture.size}".encode() + picture.tobytes())
    return digest.hexdigest()


def hash_tensor(tensor: Tensor) -> str:
    """The hash of a tensor's type, shape and bytes."""
    head = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    return hashlib.sha256(head + tensor.contiguous().flatten().view(uint8).numpy().tobytes()).hexdigest()


# ----------------------------------------------------------------------------------------- training, and graded replies


def command(words: Sequence[str], *, root: Path, scratch: Path) -> None:
    """Run a script of the project on one CPU thread; show its output if it fails."""
    alone = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HF_HUB_OFFLINE"), "1")
    env = {**os.environ, **alone, "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    env |= {"PYTHONPATH": str(root / "src"), "CIRCUITVLM_CACHE": str(scratch / "cache")}
    process = subprocess.run([sys.executable, *words], cwd=root, env=env, capture_output=True, text=True, check=False)
    if process.returncode:
        last = process.stdout[-4000:] + process.stderr[-4000:]
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{last}")


def train_run(run: TrainingRun, *, root: Path, scratch: Path) -> dict[str, Any]:
    """Train a run; return its losses, its other logged values, its saved weights and its graded replies."""
    command([TRAIN, *run.overrides, *run.words(COMMON, scratch=scratch)], root=root, scratch=scratch)
    folder = scratch / "runs" / run.name
    result = {**read_metrics(folder / METRICS), **weights(folder / ADAPTER)}
    return {**result, "replies": replies(folder / REPLIES / run.graded)} if run.graded else result


def read_metrics(path: Path) -> dict[str, Any]:
    """The losses of a metrics CSV by step, and all its other values, sorted."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    losses = [exact(float(row[LOSS])) for row in rows if row[LOSS]]
    if len(losses) != STEPS:
        raise SystemExit(f"{path}: expected {STEPS} losses, got {len(losses)}")
    other_values = [row[key] for row in rows for key in row if key not in (LOSS, *COUNTERS) and row[key]]
    return {"losses": losses, "others": sorted(exact(float(text)) for text in other_values)}


def weights(folder: Path) -> dict[str, str]:
    """The hashes of the tensors in a folder, with and without their names."""
    tensors = {name: hash_tensor(t) for path in folder.glob("*.safetensors") for name, t in load_file(path).items()}
    return {"weights": hash_json(sorted(tensors.values())), "named weights": hash_json(sorted(tensors.items()))}


def grade_run(run: TrainingRun, *, root: Path, scratch: Path) -> dict[str, Any]:
    """Grade the saved adapter of a trained run with `eval.py`."""
    command([EVALUATE, *run.words(EVAL_OVERRIDES, scratch=scratch)], root=root, scratch=scratch)
    return replies(scratch / "graded" / run.name / run.graded)


def replies(folder: Path) -> dict[str, Any]:
    """The graded replies of a split, and their hash."""
    items = list(graded_items(folder / SCORES))
    return {"hash": hash_json(items), "items": items}


# ------------------------------------------------------------------------------------------------------- learning rates


def rates(root: Path) -> dict[str, list[str]]:
    """The factor of every schedule at 50 points of a run."""
    return {path.stem: list(rates_of(path)) for path in sorted((root / SCHEDULES).glob("*.yaml"))}


def rates_of(path: Path, *, points: int = 50, total: int = 1000) -> Iterator[str]:
    said_there = OmegaConf.load(path)
    assert isinstance(said_there, DictConfig), f"{path} is no mapping"
    schedule = instantiate({str(key): value for key, value in said_there.items()})
    for point in range(points):
        yield exact(schedule(min(point * total / (points - 1) + 0.5, total), total))


# ------------------------------------------------------------------------------------------------------------- drawings


def drawings(count: int = 100) -> dict[str, dict[str, str]]:
    """Style -> hashes of the netlists and pictures of generated circuits."""
    return {style: draw_style(style, range(count)) for style in STYLES}


def draw_style(style: str, seeds: Sequence[int]) -> dict[str, str]:
    items = [circuit_of(style, seed) for seed in seeds]
    pages = (page_of(style, item) for item in items)
    files = (
        draw.image(item.circuit, item.placement, style=style, width=width, height=height, seed=seed)
        for item, seed, (width, height) in zip(items, seeds, pages, strict=True)
    )
    return {
        "netlists": hash_json(netlist.format(item.circuit) for item in items),
        "pixels": hash_pixels(Image.open(io.BytesIO(file)) for file in files),
    }


def circuit_of(style: str, seed: int) -> generate.Item:
    """The circuit of a seed for a style; every tenth is a single device, except on the grid."""
    if style == GRID_STYLE:
        return grid.item(seed, 0, components=(3, 7), form="symbolic" if seed % 2 else "numeric")
    return generate.item(seed, 0, components=(1, 1) if seed % 10 == 9 else (3, 8))


def page_of(style: str, item: generate.Item) -> tuple[int, int]:
    """Width and height of the picture: the default size, a third of it on the grid."""
    width, height = draw.default_size(item.placement)
    share = 3 if style == GRID_STYLE else 1
    return round(width / share), round(height / share)


# ---------------------------------------------------------------------------------------------- data, and its questions


def data(choice: DataChoice, *, root: Path, scratch: Path) -> dict[str, Any]:
    """Split -> hashes of ids, pixels, facts, tags and dialogues."""
    sources, tasks = build_parts(choice, root=root, scratch=scratch)
    return {
        split: split_record(list(source.examples(split))[: choice.count], tasks)
        for source in sources.values()
        for split in source.splits()
    }


def split_record(examples: Sequence[Example], tasks: Mapping[str, Task]) -> dict[str, Any]:
    dialogues = [
        dialogue_content(task.ask(example)) for task in tasks.values() for example in examples if task.fits(example)
    ]
    return {
        "items": len(examples),
        "dialogues": len(dialogues),
        "ids": hash_json(example.id for example in examples),
        "pixels": hash_pixels(picture.open() for example in examples for picture in example.images),
        "facts": hash_json(drop_keys(example.facts) for example in examples),
        "tags": hash_json(drop_keys(example.tags) for example in examples),
        "asked": hash_json(sorted(dialogues, key=json.dumps)),
    }


# ------------------------------------------------------------------------------------------------ netlists and verdicts


def netlists(root: Path) -> dict[str, Any]:
    """Text of the corpus -> its netlist as written again, its deck, voltages and currents."""
    corpus = json.loads((root / CORPUS).read_text(encoding="utf-8"))
    return {name: {"read": read_netlist(text), "voltages": voltages(text)} for name, (text, _) in corpus.items()}


def read_netlist(text: str) -> list[str]:
    circuit = netlist.parse(text)
    return [circuit.title, netlist.format(circuit), netlist.format(circuit, renumber=False)]


def voltages(text: str) -> list[Any]:
    """The voltage of each node and the current of each device at 0 Hz and 1 kHz, or "unsolved"."""
    return [solve(netlist.parse(text), frequency) for frequency in (0.0, 1000.0)]


def solve(circuit: Circuit, frequency: float) -> list[str] | str:
    try:
        solution, deck = numeric.solve(circuit, frequency), netlist.deck(circuit)
    except NETLIST_ERRORS:
        return "unsolved"
    volts = [f"v({node}) {exact(solution.voltage(node))}" for node in circuit.nodes]
    return [deck, *volts, *(f"i({device.name}) {exact(solution.current(device.name))}" for device in circuit.devices)]


def comparisons(root: Path) -> list[Any]:
    """The comparisons of each netlist of the corpus with its canonical form and with the next netlist."""
    corpus = json.loads((root / CORPUS).read_text(encoding="utf-8"))
    circuits = [(netlist.parse(text), netlist.parse(canonical)) for text, canonical in corpus.values()]
    pairs = [*circuits, *((first, other) for (first, _), (other, _) in pairwise(circuits))]
    return [drop_keys(astuple(compare(first, other))) for first, other in pairs]


def verdicts() -> list[str]:
    """The verdicts on each pair of formulas, with the second one also negated, and taken from the next pair."""
    pairs = json.loads(FORMULAS.read_text(encoding="utf-8"))
    shifted = [(a, b) for (a, _), (_, b) in pairwise(pairs)]
    negative = [(a, f"-({b})") for a, b in pairs]
    return [f"{a} | {b} | {equal_expressions(a, b).value}" for a, b in (*pairs, *negative, *shifted)]


def transfers(count: int = 30) -> list[list[str]]:
    """The transfer functions of generated circuits, and the verdicts on them and on changed ones."""
    return [list(transfer(seed)) for seed in range(count)]


def transfer(seed: int) -> Iterator[str]:
    circuit = symbolic(seed)
    source = next(device.name for device in circuit.devices if device.kind == "V")
    output = next(device.name for device in reversed(circuit.devices) if device.name != source)
    function = transfer_function(circuit, source=source, output=output)
    yield function.text
    yield function.latex
    for text in (
        function.text,
        function.latex,
        f"-({function.text})",
        f"H(s) = {function.text} + 1",
        f"2*({function.text})",
    ):
        yield matches_circuit(text, circuit, source, output).value


def symbolic(seed: int) -> Circuit:
    """A generated circuit with a voltage source, with the names of its devices as values."""
    for index in range(100):
        circuit = generate.item([seed, 77], index, components=(3, 7)).circuit
        if any(device.kind == "V" for device in circuit.devices):
            return Circuit(tuple(replace(device, value=None, text=device.name) for device in circuit.devices))
    raise SystemExit(f"seed {seed}: expected a circuit with a voltage source among 100, got none")


# ----------------------------------------------------------------------------------------------------------- the record


def record(root: Path, scratch: Path, *, only: Sequence[str]) -> dict[str, Any]:
    """Compute all sections, or those in `only`."""
    here = {"root": root, "scratch": scratch}
    sections: dict[str, Callable[[], Any]] = {
        "rates": lambda: rates(root),
        "drawings": drawings,
        "data": lambda: {asked.name: time_section(asked.name, partial(data, asked, **here)) for asked in SOURCES},
        "netlists": lambda: netlists(root),
        "comparisons": lambda: comparisons(root),
        "verdicts": verdicts,
        "transfers": transfers,
        "training": lambda: {run.name: time_section(run.name, partial(train_run, run, **here)) for run in RUNS},
        "evaluation": lambda: {
            run.name: time_section(run.name, partial(grade_run, run, **here)) for run in RUNS if run.evaluate
        },
    }
    return {name: time_section(name, made) for name, made in sections.items() if not only or name in only}


def time_section(name: str, make: Callable[[], Any]) -> Any:
    """Return the result of `make`, and write its duration to standard error."""
    start = time.monotonic()
    result = make()
    sys.stderr.write(f"{name}: {time.monotonic() - start:.1f} s\n")
    return result


def differences(first: Any, second: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of the values that differ between two records."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            yield from differences(first.get(key), second.get(key), f"{path}/{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for place, pair in enumerate(zip(first, second, strict=True)):
            yield from differences(*pair, f"{path}/{place}")
    elif first != second:
        yield f"{path}: {str(first)[:200]} | {str(second)[:200]}"


def main() -> None:
    """Write the record; with --against, list the differences and end with status 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--against", type=Path, help="an earlier record")
    parser.add_argument("--only", nargs="*", default=(), help="sections; evaluation needs training")
    arguments = parser.parse_args()
    root = Path.cwd()
    if not Path(circuitvlm.__file__).is_relative_to(root):
        raise SystemExit(f"expected circuitvlm from {root}, got {circuitvlm.__file__}; set PYTHONPATH=src")
    with tempfile.TemporaryDirectory(prefix="fingerprint-") as scratch:
        result = record(root, Path(scratch), only=arguments.only)
    arguments.out.write_text(json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.against:
        earlier = json.loads(arguments.against.read_text(encoding="utf-8"))
        changes = list(differences({key: earlier.get(key) for key in result}, json.loads(json.dumps(result))))
        sys.stderr.write("\n".join([*changes[:50], f"{len(changes)} differences"]) + "\n")
        raise SystemExit(bool(changes))


if __name__ == "__main__":
    main()
