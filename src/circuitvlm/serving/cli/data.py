"""Which commands are about formulas and data sets? transfer, audit and dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from circuitvlm.circuit import netlist
from circuitvlm.runtime.progress import setup_logging
from circuitvlm.serving import show
from circuitvlm.serving.cli.shell import told


def transfer(
    source_file: Annotated[
        Path, typer.Argument(metavar="NETLIST", help="A netlist file; - or nothing is standard input.")
    ] = Path("-"),
    source: Annotated[str, typer.Option(metavar="NAME", help="A voltage or current source.")] = "V1",
    output: Annotated[str, typer.Option(metavar="WHERE", help="A device, a node, or two nodes as v(2,3).")] = "C1",
    check: Annotated[
        str | None, typer.Option(metavar="FORMULA", help="Is this formula the right one? Exit code 0: yes. 1: no.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Print the exact transfer function from a source to a voltage, with its poles, zeros and DC gain.

    Values without a number are symbols; E sources with the gain Ad or inf are ideal op-amps.

    \b
    circuitvlm transfer filter.cir --source V1 --output C1
    printf 'V1 1 0 V1\\nR1 1 2 R1\\nC1 2 0 C1\\n' | circuitvlm transfer --check '\\frac{1}{1+sR_1C_1}'
    """
    with told():
        text = sys.stdin.read() if source_file == Path("-") else source_file.read_text(encoding="utf-8-sig")
        circuit = netlist.parse(text)
        try:
            if check is not None:
                from circuitvlm.circuit.judge.verdict import Verdict, matches_circuit

                verdict = matches_circuit(check, circuit, source, output)
                typer.echo(verdict.value)
                raise typer.Exit(0 if verdict is Verdict.EQUAL else 1)
            from circuitvlm.circuit.solve.symbolic import transfer_function  # SymPy: half a second

            made = transfer_function(circuit, source=source, output=output)
        except KeyError as error:
            raise ValueError(error.args[0]) from error
        (show.transfer_json if json else show.transfer)(made)


def audit(
    root: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="A CircuitSense, ScienceQA or CORD folder, or CircuitSense's name on the hub."
        ),
    ],
    cache: Annotated[
        str, typer.Option(metavar="FOLDER", help="For what is downloaded or unpacked.")
    ] = "cache/circuitsense",
    max_samples: Annotated[
        int | None, typer.Option(min=1, help="Look at this many questions only, of CircuitSense.")
    ] = None,
) -> None:
    """Say what is in a CircuitSense folder, what of it cannot be used, and which stored answers the solver contradicts.

    Of a ScienceQA folder (with problems.json): what is in it by split, subject and grade, what cannot be asked or has
    no image, and what lies in two splits. Of a CORD folder (receipts with their JSON, JSON lines or parquet): what is
    in it by part and field, what cannot be used, and what lies in two parts. Exit code 0: nothing is wrong. 1:
    something is.

    \b
    circuitvlm audit datasets/grid_v11
    circuitvlm audit datasets/scienceqa
    circuitvlm audit datasets/cord
    circuitvlm audit armanakbari4/CircuitSense --max-samples 200
    """
    with told():
        setup_logging()
        from circuitvlm.data.circuitsense.audit import audit as audited
        from circuitvlm.data.cord import audit as cord
        from circuitvlm.data.scienceqa import audit as scienceqa

        known = scienceqa if scienceqa.is_scienceqa(root) else cord if cord.is_cord(root) else None
        if known is None:
            found = audited(root, cache=cache, max_samples=max_samples)
            lines, wrong = found.lines(), bool(found.contradictions)
        elif max_samples is not None:
            raise ValueError(f"--max-samples is of CircuitSense, and {root} is none: all of it is looked at")
        else:
            looked = scienceqa.audit(root) if known is scienceqa else cord.audit(root, cache=cache)
            lines, wrong = looked.lines(), looked.faulty
        for line in lines:
            typer.echo(line)
    raise typer.Exit(1 if wrong else 0)


def dataset(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")],
    count: Annotated[int, typer.Option(min=1, help="How many circuits.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same circuits everywhere.")] = 0,
    components: Annotated[
        tuple[int, int], typer.Option(metavar="LOW HIGH", help="Least and largest number of devices, 2 to 14.")
    ] = (3, 9),
    symbolic: Annotated[float, typer.Option(min=0.0, max=1.0, help="The share with symbols for values.")] = 0.5,
) -> None:
    """Write generated circuits in CircuitSense's own layouts, with their exact answers.

    Images, labels.json, symbolic_equations.json and circuit_qa_dataset.json, as its generator writes them.

    \b
    circuitvlm dataset datasets/mine --count 1000 --seed 1
    """
    with told():
        setup_logging()
        from circuitvlm.serving.export.dataset import write_circuitsense

        write_circuitsense(folder, count=count, seed=seed, components=components, symbolic_share=symbolic)
        typer.echo(f"{folder}: {count} circuits")
