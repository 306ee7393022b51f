"""Define the commands about formulas and data sets: transfer, audit and dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving import display
from circuitvlm.serving.cli.common import DASH, Json, NetlistFile, Seed, Strict, exit_on_error, read_circuit
from circuitvlm.serving.text import echo, escape


def transfer(
    source_file: NetlistFile = DASH,
    source: Annotated[str, typer.Option(metavar="NAME", help="A voltage or current source.")] = "V1",
    output: Annotated[str, typer.Option(metavar="WHERE", help="A device, a node, or two nodes as v(2,3).")] = "C1",
    check: Annotated[
        str | None,
        typer.Option(metavar="FORMULA", help="Check this formula instead. Exit code 0: it is right. 1: it is not."),
    ] = None,
    json: Json = False,
    strict: Strict = False,
) -> None:
    """Print the exact transfer function of a circuit, with its poles, zeros and DC gain.

    The function leads from --source to the voltage of --output. A value without a number is a symbol.
    An E source with the gain Ad or inf is an ideal op-amp.

    \b
    Examples:
    circuitvlm transfer filter.cir --source V1 --output C1
    printf 'V1 1 0 V1\\nR1 1 2 R1\\nC1 2 0 C1\\n' | circuitvlm transfer --check '\\frac{1}{1+sR_1C_1}'
    """
    with exit_on_error():
        circuit = read_circuit(source_file, strict=strict)
        try:
            if check is not None:
                from circuitvlm.circuit.judge.verdict import Verdict, matches_circuit

                verdict = matches_circuit(check, circuit, source, output)
                echo(verdict.value)
                raise typer.Exit(0 if verdict is Verdict.EQUAL else 1)
            from circuitvlm.circuit.solve.symbolic import transfer_function  # SymPy takes half a second to load

            function = transfer_function(circuit, source=source, output=output)
        except KeyError as error:
            raise ValueError(error.args[0]) from error
        if json:
            display.print_json(display.transfer_function_dict(function))
        else:
            display.print_transfer_function(function)


def audit(
    root: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="A CircuitSense, ScienceQA or CORD folder, or CircuitSense's name on the hub."
        ),
    ],
    cache: Annotated[
        str, typer.Option(metavar="FOLDER", help="The folder for downloaded and unpacked files.")
    ] = "cache/circuitsense",
    max_samples: Annotated[
        int | None, typer.Option(min=1, help="Check only this number of questions. For CircuitSense only.")
    ] = None,
) -> None:
    """List what a data folder holds, what cannot be used, and which answers are wrong.

    CircuitSense: items by level and kind, and the stored answers that the solver contradicts.
    ScienceQA (a folder with problems.json): items by split, subject and grade, and items in two splits.
    It also lists the questions of ScienceQA that cannot be asked or have no image.
    CORD (receipts with JSON files, JSON lines or parquet): items by part and field, and items in two parts.
    Exit code 0: nothing is wrong. 1: something is wrong.

    \b
    Examples:
    circuitvlm audit datasets/grid_v11
    circuitvlm audit datasets/scienceqa
    circuitvlm audit datasets/cord
    circuitvlm audit armanakbari4/CircuitSense --max-samples 200
    """
    with exit_on_error():
        setup_logging()
        from circuitvlm.data.circuitsense import audit as circuitsense
        from circuitvlm.data.cord import audit as cord
        from circuitvlm.data.scienceqa import audit as scienceqa

        is_scienceqa = scienceqa.is_scienceqa(root)
        if not is_scienceqa and not cord.is_cord(root):
            circuitsense_result = circuitsense.audit(root, cache=cache, max_samples=max_samples)
            lines, is_faulty = circuitsense_result.lines(), bool(circuitsense_result.contradictions)
        elif max_samples is not None:
            raise ValueError(f"--max-samples: expected a CircuitSense folder, got {root}, which is checked as a whole")
        else:
            result = scienceqa.audit(root) if is_scienceqa else cord.audit(root, cache=cache)
            lines, is_faulty = result.lines(), result.is_faulty
        echo("\n".join(map(escape, lines)))
    raise typer.Exit(1 if is_faulty else 0)


def dataset(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")],
    count: Annotated[int, typer.Option(min=1, help="The number of circuits.")] = 100,
    seed: Seed = 0,
    components: Annotated[
        tuple[int, int],
        typer.Option(metavar="LOW HIGH", help="The smallest and the largest number of devices: 2 to 14."),
    ] = (3, 9),
    symbolic: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of circuits with symbols instead of numbers.")
    ] = 0.5,
) -> None:
    """Write generated circuits with exact answers in CircuitSense's layouts.

    The files are images, labels.json, symbolic_equations.json and circuit_qa_dataset.json.
    CircuitSense's own generator writes the same files.

    \b
    Example:
    circuitvlm dataset datasets/mine --count 1000 --seed 1
    """
    with exit_on_error():
        setup_logging()
        from circuitvlm.serving.export.dataset import write_circuitsense

        write_circuitsense(folder, count=count, seed=seed, components=components, symbolic_share=symbolic)
        echo(f"{folder}: {count} circuits")
