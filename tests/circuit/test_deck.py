"""Test that a netlist file is read line by line: nothing is dropped silently, and nothing valid is refused."""

from __future__ import annotations

import pytest

from circuitvlm.circuit import netlist
from circuitvlm.circuit.netlist.reader import MAX_REMARKS
from circuitvlm.circuit.solve.numeric import solve

STAGE = ".subckt stage i o\nR1 i o 1k\nR2 o 0 1k\n.ends\n"
DIVIDER = "V1 1 0 5\nR1 1 2 1k\nR2 2 0 1k\n"


def voltage(text: str, node: str) -> float:
    value = solve(netlist.parse_deck(text)).voltage(node, "0")
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize(
    "lines",
    [
        "Vin in 0 8\nRload out 0 1k\nXA in m stage\nXB m out stage",
        "Vin in 0 8\nXA in m stage\nXB m out stage\nRload out 0 1k",
        "XB m out stage\nXA in m stage\nRload out 0 1k\nVin in 0 8",
    ],
)
@pytest.mark.parametrize("parse", [netlist.parse, netlist.parse_deck])
def test_calls_whose_names_have_no_digit_are_devices_wherever_they_stand(lines: str, parse: object) -> None:
    assert callable(parse)
    for text in (f"* chain\n{lines}\n{STAGE}", f"* chain\n{STAGE}{lines}\n.end\n"):
        solution = solve(parse(text))
        assert solution.voltage("m", "0") == pytest.approx(3)
        assert solution.voltage("out", "0") == pytest.approx(1)


@pytest.mark.parametrize(
    "line", ["Mp out in vdd vdd PMOS", "Vdd vdd 0 5", "IC out 0 1m", "Dz out 0 DMOD", "Qx c b e N"]
)
def test_names_without_a_digit_are_devices(line: str) -> None:
    circuit = netlist.parse_deck(f"* t\nR1 out 0 1k\n{line}\n")
    assert [device.name for device in circuit.devices] == ["R1", line.split()[0].upper()]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("R´Cshunt b out 1m", "line 3: R´CSHUNT: expected a device of a kind in"),
        ("U1 vin 0 vout LM7805", "line 3: U1: expected a device of a kind in"),
        ("and some prose", "line 3: AND: expected a device of a kind in"),
        ("R9 1", "line 3: R9: expected 2 nodes, got 1"),
        ("(1 2) 5", "line 3: .*expected a device of a kind in"),
    ],
)
@pytest.mark.parametrize("parse", [netlist.parse_deck, lambda text: netlist.parse(f"{text}.end")])
def test_a_line_that_is_neither_a_device_nor_a_card_is_an_error(line: str, message: str, parse: object) -> None:
    assert callable(parse)
    with pytest.raises(netlist.NetlistError, match=message):
        parse(f"* t\nV1 1 0 5\n{line}\nR1 1 0 1k\n")
    with pytest.raises(netlist.NetlistError, match=message.replace("3", "4", 1)):
        parse(f"* t\nV1 1 0 5\nR1 1 0 1k\n{line}\n")


@pytest.mark.parametrize("title", ["R-2R ladder DAC 4 bit", "Lowpass filter 1 10k", "Diode test", "V1 1 0 9", "Simple"])
def test_the_first_line_is_the_title_where_the_text_has_an_end(title: str) -> None:
    circuit = netlist.parse_deck(f"{title}\n{DIVIDER}.end\n".replace("V1 1 0 5", "VS 1 0 5"))
    assert circuit.title == title
    assert [device.name for device in circuit.devices] == ["VS", "R1", "R2"]
    assert solve(circuit).voltage("2", "0") == pytest.approx(2.5)
    looks_like_a_device = title[0] in "RLV"
    assert [remark.partition(":")[0] for remark in circuit.remarks] == ["line 1"] * looks_like_a_device


def test_a_fragment_has_no_title() -> None:
    assert len(netlist.parse_deck(DIVIDER).devices) == 3
    assert len(netlist.parse_deck(f"\n{DIVIDER}.end").devices) == 3, "the title is the empty first line"
    assert netlist.parse_deck(f"my divider\n{DIVIDER}").title == "my divider"
    assert netlist.parse_deck(f".title board\n{DIVIDER}.end").title == "board"


@pytest.mark.parametrize("title", ["R-2R ladder DAC 4 bit", "Lowpass filter 1 10k"])
def test_a_title_in_a_reply_is_no_device(title: str) -> None:
    assert len(netlist.parse(f"{title}\n{DIVIDER}.end").devices) == 3


def test_what_is_not_read_is_remarked_with_its_line() -> None:
    text = f"title\n{DIVIDER}.ic v(1)=2\n.model D1N D(IS=1f)\n.options reltol=1\n.include x.lib\n.op\n.tran 1 2\n.end"
    remarks = netlist.parse_deck(text).remarks
    assert [remark.split(": ")[:2] for remark in remarks] == [[f"line {n}", "not read"] for n in (5, 6, 7, 8)]
    assert remarks[0].endswith("'.ic v(1)=2'")
    reply = netlist.parse(f"Here it is.\n{DIVIDER}I hope that it helps.")
    assert reply.title == "Here it is."
    assert reply.remarks == ("line 5: no device: 'I hope that it helps.'",)
    assert netlist.parse(DIVIDER).remarks == ()
    assert netlist.parse(f"x\n{DIVIDER}") == netlist.parse(f"x\n{DIVIDER}and so on"), "compared without them"


def test_many_remarks_are_counted() -> None:
    remarks = netlist.parse(DIVIDER + ".ic v(1)=2\n" * 300).remarks
    assert len(remarks) == MAX_REMARKS + 1
    assert remarks[-1] == "and 200 more lines and words that are not read"


def test_a_comment_ends_at_the_end_of_its_line() -> None:
    text = "* x\n.param r=1k\nV1 1 0 5\nR1 1 2 {r}\nR2 2 0 1k\n* old values:\\n.param r=4k\n.end"
    assert solve(netlist.parse(text)).voltage("2", "0") == pytest.approx(2.5)
    assert voltage(text, "2") == pytest.approx(2.5)
    in_one_line = DIVIDER.replace("\n", "\\n")
    assert len(netlist.parse(in_one_line).devices) == 3, "in one line they are breaks"
    assert len(netlist.parse(f"* t\\n{in_one_line}").devices) == 3


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Version 4\nSHEET 1 880 680\nFLAG 80 160 0\nSYMBOL voltage 80 64 R0\nSYMATTR InstName V1\n", "LTspice"),
        ("(kicad_sch (version 20231120) (generator eeschema))", "KiCad"),
        ("EESchema Schematic File Version 4\n", "KiCad"),
        ("v 20130925 2\nC 40000 40000 0 0 0 title-B.sym\n", "gEDA"),
        ("<Qucs Schematic 0.0.19>\n", "Qucs"),
    ],
)
def test_a_schematic_is_refused_by_name(text: str, program: str) -> None:
    for parse in (netlist.parse, netlist.parse_deck):
        with pytest.raises(netlist.NetlistError, match=f"got a schematic of {program}"):
            parse(text)


def test_wires_join_nodes() -> None:
    text = "V1 1 0 10; down\nW 1 2; right\nR1 2 3 5; right\nR2 3 0_1 5; down\nW 0 0_1; right\n"
    assert voltage(text, "3") == pytest.approx(5)
    assert solve(netlist.parse(text)).voltage("3", "0") == pytest.approx(5)
    chain = "\n".join(
        [*(f"W{n} {n} {n + 1}" for n in range(1, 200)), "V1 200 0 5", "R1 1 0_1 1k", "W 0_1 0_2", "W 0_2 0"]
    )
    assert netlist.parse_deck(chain).nodes == ("200", "0")
    assert netlist.parse_deck("* t\nV1 1 0 5\nW1 1 0 VS SW\nW 1 2\nR1 2 0 1\n.end").device("W1").text == "VS SW"


def test_many_wires_end_soon() -> None:
    wires = [f"W {n + 1} {n}" for n in range(1, 60_000)]
    assert netlist.parse_deck("\n".join(["V1 1 0 5", *wires, "R1 60000 0 1k"])).nodes == ("1", "0")


def test_a_call_of_a_chip_with_odd_names_is_one_device() -> None:
    text = "* t\nx1 ip_a1 ip_b1 gnd op_y3 ip_c3 net-_x1-pad14_ SN74LV3T97_EP\nv1 ip_a1 0 5\n.end"
    for parse in (netlist.parse, netlist.parse_deck):
        assert [device.name for device in parse(text).devices] == ["X1", "V1"]
