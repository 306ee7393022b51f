"""Test the netlists of chips: subcircuits, parameters, CDL, Spectre and macro models."""

import pytest

from circuitvlm.circuit import netlist
from circuitvlm.circuit.judge.equivalence import Comparison, compare

OTA = """.subckt mirror a b ss w=1u
.param len=0.18u
M1 a a ss ss nch W=w L=len
M2 b a ss ss nch W={2*w}
+ L=len
.ends mirror
.subckt ota inp inn out bias vdd
X1 bias tail 0 mirror w=4u
M3 x inn tail 0 nch W=9u L=1u m=2
M4 out inp tail 0 nch W=9u L=1u m=2 $ input
M5 x x vdd vdd pch W=5u L=1u
M6 out x vdd vdd pch W=5u L=1u
.ends
"""
FLAT = """M1 bias bias 0 0 nch W=4u L=0.18u
M2 tail bias 0 0 nch W={2*4u} L=0.18u
M3 x inn tail 0 nch W=9u L=1u m=2
M4 out inp tail 0 nch W=9u L=1u m=2
M5 x x vdd vdd pch W=5u L=1u
M6 out x vdd vdd pch W=5u L=1u"""
MACRO = """.subckt amp 1 2 4 5
dc 5 53 dx
egnd 99 0 poly(2) (4,0) (5,0) 0 .5 .5
fb 7 99 poly(2) vb vc 0 10.6e6 -10e6
ga 6 0 1 2 188u
bx 6 0 i = 2*v(1,2) + i(vb)
vb 6 4 dc 0
vc 7 53 dc 1
r2 6 99 100k
.model dx d(is=800e-18)
.ends"""


def read(text: str) -> Comparison:
    """Compare the circuit of the text with the circuit of its canonical form."""
    circuit = netlist.parse(text)
    return compare(netlist.parse(netlist.format(circuit)), circuit)


def verdict(first: str, second: str) -> Comparison:
    return compare(netlist.parse(first), netlist.parse(second))


@pytest.mark.parametrize("text", [OTA, FLAT, MACRO])
def test_what_is_written_reads_as_the_same(text: str) -> None:
    assert read(text).names


def test_definitions_alone_are_the_circuit_of_the_one_that_none_calls() -> None:
    assert verdict(OTA, FLAT).values
    assert [d.name for d in netlist.parse(OTA).devices][:2] == ["M.X1.M1", "M.X1.M2"]


def test_a_called_subcircuit_is_its_devices_unless_calls_are_to_stay() -> None:
    text = OTA + "X9 a b c d e ota\nV1 e 0 1.8"
    assert len(netlist.parse(text).devices) == 7
    assert [d.kind for d in netlist.parse(text, flat=False).devices] == ["X", "V"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("w=4u", "w=5u"), ("len=0.18u", "len=0.2u"), ("L=1u m=2 $", "L=1u m=3 $"), ("x x vdd vdd pch", "x x vdd vdd nch")],
)
def test_another_value_in_a_body_is_another_value(old: str, new: str) -> None:
    comparison = verdict(OTA.replace(old, new), OTA)
    assert comparison.topology
    assert not comparison.values


@pytest.mark.parametrize(
    ("old", "new"), [("M6 out x", "M6 out bias"), ("X1 bias tail", "X1 tail bias"), ("M1 a a", "M1 b a")]
)
def test_a_pin_elsewhere_is_another_topology(old: str, new: str) -> None:
    assert not verdict(OTA.replace(old, new), OTA).topology


def test_global_nodes_are_the_same_in_every_subcircuit() -> None:
    text = ".global vdd\n.subckt a x\nR1 x vdd 1\nR2 x vss! 2\n.ends\nX1 p a\nX2 q a\nV1 vdd vss! 1"
    assert verdict(text, "R1 p vdd 1\nR2 p vss 2\nR3 q vdd 1\nR4 q vss 2\nV1 vdd vss 1").values


def test_a_definition_without_devices_leaves_its_calls_as_devices() -> None:
    circuit = netlist.parse(".subckt box a b\n.ends\n.subckt top p q\nX1 p q box\nR1 p q 1k\n.ends")
    assert [(d.kind, d.nodes) for d in circuit.devices] == [("X", ("p", "q")), ("R", ("p", "q"))]


REFUSED_TEXTS = {
    ".subckt a p q\nR1 p q 1": r"line 1: subcircuit a: expected \.ends",
    ".subckt a p q\nX1 p q a\n.ends\nX1 1 0 a": "subcircuit a: .* got one that calls itself",
    ".subckt a p q\nR1 p q 1\n.ends\nX1 1 0 2 a": "X1: expected the 2 nodes of subcircuit a, got 3",
    ".subckt a p q\nR1 p q 1\n.ends\n.subckt a p q\nR1 p q 2\n.ends\nX1 1 0 a": "line 4: subcircuit a: .* in line 1",
    ".subckt a p q\nU1 p q 1\n.ends\nX1 1 0 a": "line 2: U1: expected a device of a kind in",
    ".subckt a p q\nR1 p q 1\nR1 p q 2\n.ends\nX1 1 0 a": "line 3: R1: expected one device with this name",
}


@pytest.mark.parametrize("text", REFUSED_TEXTS)
def test_what_cannot_be_flattened_is_refused_by_name(text: str) -> None:
    with pytest.raises(netlist.NetlistError, match=REFUSED_TEXTS[text]):
        netlist.parse(text)


def test_calls_that_double_at_every_level_end_soon() -> None:
    levels = [f".subckt s{i} p q\nX1 p q s{i + 1}\nX2 p q s{i + 1}\n.ends" for i in range(30)]
    text = "\n".join([*levels, ".subckt s30 p q\nR1 p q 1\n.ends\nX1 1 0 s0"])
    with pytest.raises(netlist.NetlistError, match="at most 20000 devices"):
        netlist.parse(text)


def test_parameters_give_way_to_their_values() -> None:
    assert verdict(
        ".param rl=4.7k wn=2u\nR1 1 0 rl\nR2 1 0 {rl}\nM1 1 2 0 0 n W='wn'",
        "R1 1 0 4k7\nR2 1 0 4700\nM1 1 2 0 0 n W=2u",
    ).values


def test_cdl_is_read() -> None:
    text = """.SUBCKT osc A OUT<0> vdd!
*.PININFO A:I
XI0<1> A OUT<0> / inv wn=1u
RR0 A OUT<0> 10K $[rppoly] $W=2u $X=4 $Y=-7
MM0 OUT<0> A gnd! gnd! nch W=1u L=60n $X=430 $D=0
.ENDS"""
    call, resistor, transistor = netlist.parse(text).devices
    assert (call.kind, call.nodes, call.text) == ("X", ("A", "OUT<0>"), "inv wn=1u")
    assert (resistor.value, resistor.text) == (10e3, "rppoly W=2u")
    assert transistor.text == "nch W=1u L=60n"
    assert read(text).names


def test_spectre_is_read() -> None:
    spectre = """// Generated for: spectre
simulator lang=spectre
global 0 vdd!
parameters ln=130n
subckt inv in out
parameters wn=1u
    M0 (out in 0 0) nmos w=wn l=ln
    M1 (out in vdd! vdd!) pmos w=3u \\
        l=ln
ends inv
I0 (a b) inv wn=2u
V0 (vdd! 0) vsource dc=1.2 type=dc
I1 (vdd! a) isource dc=10u type=dc
R0 (a net\\<3\\>) resistor r=1K
C0 (net\\<3\\> 0) capacitor c=1p
H0 (x 0) ccvs rm=2 probe=V0
G0 (x 0 a b) vccs gm=1m
tran tran stop=100n"""
    spice = """M0 b a 0 0 nmos w=2u l=130n
M1 b a vdd vdd pmos w=3u l=130n
V0 vdd 0 1.2
I1 vdd a 10u
R0 a n3 1k
C0 n3 0 1p
H0 x 0 V0 2
G0 x 0 a b 1m"""
    assert verdict(spectre, spice).values


def test_a_master_of_more_nodes_than_its_letter_has_is_a_call() -> None:
    text = "M0 (a b VSS VSS) nmos4\nI5 (a b c VDD VSS) GATE\nR1 (a b GND) rpoly l=2u\nR0 (a b) resistor"
    assert [(d.kind, len(d.nodes)) for d in netlist.parse(text).devices] == [("M", 4), ("X", 5), ("X", 3), ("R", 2)]
    assert not verdict(text.replace("I5 (a b c", "I5 (a c b"), text).topology


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(4,0) (5,0)", "(4,0) (1,0)"),
        ("vb vc 0", "vb vb 0"),
        ("v(1,2)", "v(2,1)"),
        ("i(vb)", "i(vc)"),
        ("1 2 188u", "2 1 188u"),
    ],
)
def test_what_controls_a_source_is_wiring(old: str, new: str) -> None:
    assert not verdict(MACRO.replace(old, new), MACRO).topology


def test_the_gains_of_a_sum_belong_to_its_controls() -> None:
    comparison = verdict(MACRO.replace("vb vc 0", "vc vb 0"), MACRO)
    assert comparison.topology
    assert not comparison.values


def test_what_controls_a_source_may_be_renamed() -> None:
    text = MACRO.replace("vb", "vsense").replace("(4,0) (5,0)", "(n4,0) (n5,0)").replace("6 4 dc", "6 n4 dc")
    text = text.replace("1 2 4 5", "1 2 n4 n5").replace("dc 5 53", "dc n5 53")
    assert verdict(text, MACRO).values


def test_a_node_of_a_call_may_have_the_name_of_a_device() -> None:
    (call,) = netlist.parse(".subckt t d1 g\nXM3 d1 g d1 0 nfet_01v8 L=1 W=5\n.ends").devices
    assert call.nodes == ("d1", "g", "d1", "0")
