"""Check that every optimizer of conf/optimizer keeps its promises, and that broken ones are noticed."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from circuitvlm.training.parameter_groups import parameter_groups
from tests.contract import parts

Make = Callable[..., Optimizer]


class Reader(nn.Module):
    """Each kind of weight that a real net has: embedding, matrices, convolution, vectors, and one that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.patches = nn.Conv1d(8, 8, kernel_size=2)
        self.norm = nn.LayerNorm(8)
        self.hidden = nn.Linear(8, 16)
        self.frozen = nn.Linear(16, 16).requires_grad_(False)
        self.head = nn.Linear(16, 11, bias=False)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        seen = self.patches(self.embed(tokens_BT).transpose(1, 2)).mean(-1)
        logits: Tensor = self.head(self.frozen(self.hidden(self.norm(seen)).relu()))
        return logits


class Spec:
    components: Mapping[str, tuple[str, ...]] = {
        "vision": ("patches",),
        "llm": ("embed", "norm", "hidden", "frozen"),
        "head": ("head",),
    }


def pair(make: Make, *, scale: float = 1.0) -> tuple[Reader, Optimizer]:
    """A net of fixed weights and its optimizer, made as the module makes it: from groups with rates of their own."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Reader()
    said = make.keywords if isinstance(make, partial) else {}
    groups = parameter_groups(
        net, Spec(), lr=scale * said["lr"], weight_decay=said.get("weight_decay", 0.0), lr_multipliers={}
    )
    return net, make(groups)


def learn(
    net: Reader, optimizer: Optimizer, *, steps: int, first: int = 0, after: Callable[[], None] | None = None
) -> list[float]:
    losses = []
    for step in range(first, first + steps):
        tokens = torch.randint(11, (32, 3), generator=torch.Generator().manual_seed(step))
        loss = nn.functional.cross_entropy(net(tokens), tokens[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after is not None:
            after()
        losses.append(float(loss.detach()))
    return losses


def copies(net: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in net.named_parameters()}


def promise_learns(make: Make) -> None:
    """A hundred steps at a rate of 1 % lower the loss."""
    net, optimizer = pair(make, scale=0.01 / make.keywords["lr"])
    losses = learn(net, optimizer, steps=100)
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10]), f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f}"


def promise_moves(make: Make) -> None:
    """Five steps move every trainable weight, and nothing that is frozen."""
    net, optimizer = pair(make)
    before = copies(net)
    learn(net, optimizer, steps=5)
    moved = {name for name, weight in net.named_parameters() if not torch.equal(weight, before[name])}
    trained = {name for name, weight in net.named_parameters() if weight.requires_grad}
    assert moved == trained, f"moved and frozen, or trained and at rest: {sorted(moved ^ trained)}"


def promise_obeys(make: Make) -> None:
    """It takes its rate from its groups at every step: a schedule at 0 stops all of it."""
    net, optimizer = pair(make)
    schedule = LambdaLR(optimizer, lambda step: 1.0 if step < 2 else 0.0)
    learn(net, optimizer, steps=2, after=schedule.step)
    before = copies(net)
    learn(net, optimizer, steps=3, after=schedule.step)
    moving = [name for name, weight in net.named_parameters() if not torch.equal(weight, before[name])]
    assert not moving, f"these move at rate 0: {', '.join(moving)}"


def promise_resumes(make: Make) -> None:
    """Saved without pickled objects and loaded into a new one, it goes on bit for bit, at a rate changed since."""
    net, optimizer = pair(make)
    learn(net, optimizer, steps=4)
    file = io.BytesIO()
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again, later = pair(make)
    again.load_state_dict(saved["net"])
    later.load_state_dict(saved["optimizer"])
    for one in (optimizer, later):  # after loading, a changed rate must still be heard
        for group in one.param_groups:
            group["lr"] *= 0.5
    learn(net, optimizer, steps=3, first=4)
    learn(again, later, steps=3, first=4)
    wanted = copies(net)
    other = [name for name, weight in again.named_parameters() if not torch.equal(weight, wanted[name])]
    assert not other, f"these went on otherwise: {', '.join(other)}"


@pytest.mark.parametrize("name", parts.names("optimizer"))
@parts.each_promise(globals())
def test_optimizer_keeps(promise: parts.Promise, name: str) -> None:
    parts.check_promise(promise, parts.build("optimizer", name))


class Idle(SGD):
    def step(self, closure: Any = None) -> None:
        return None


class Deaf(AdamW):
    """Takes the rates that it was made with."""

    def __init__(self, params: Any, **said: Any) -> None:
        super().__init__(params, **said)
        self.first = [group["lr"] for group in self.param_groups]

    def step(self, closure: Any = None) -> None:
        for group, rate in zip(self.param_groups, self.first, strict=True):
            group["lr"] = rate
        super().step()


class Forgetful(AdamW):
    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        self.state.clear()


class Picky(AdamW):
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None if weight.ndim == 3 else weight.grad
        super().step()


BROKEN = [
    (promise_learns, Idle, "the loss went from"),
    (promise_moves, Picky, "at rest: .*patches.weight"),
    (promise_obeys, Deaf, "move at rate 0"),
    (promise_resumes, Forgetful, "went on otherwise"),
]


@pytest.mark.parametrize(("promise", "kind", "said"), BROKEN, ids=[parts.name_of(row[0]) for row in BROKEN])
def test_a_broken_optimizer_is_noticed(promise: parts.Promise, kind: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        promise(partial(kind, lr=0.01))


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN) == []


def test_muon_turns_matrices_and_leaves_the_rest_to_adamw() -> None:
    """Each weight moves as torch's own Muon or AdamW moves it."""
    said = {"lr": 0.01, "adamw_share": 0.1, "momentum": 0.9, "betas": [0.9, 0.99], "weight_decay": 0.1}
    net, optimizer = pair(parts.build("optimizer", "muon", **said))
    learn(net, optimizer, steps=3)

    plain = pair(partial(SGD, lr=0.0))[0]
    matrices = [plain.hidden.weight]
    vectors = [plain.patches.bias, plain.norm.weight, plain.norm.bias, plain.hidden.bias]
    others = [plain.embed.weight, plain.patches.weight, plain.head.weight]
    optimizers = [
        torch.optim.Muon(matrices, lr=0.01, momentum=0.9, weight_decay=0.1),
        AdamW(
            [{"params": others, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
            lr=0.001,
            betas=(0.9, 0.99),
        ),
    ]
    for step in range(3):
        tokens = torch.randint(11, (32, 3), generator=torch.Generator().manual_seed(step))
        plain.zero_grad()
        nn.functional.cross_entropy(plain(tokens), tokens[:, 0]).backward()
        for part in optimizers:
            part.step()
    for (name, weight), (_, wanted) in zip(net.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(weight, wanted, rtol=1e-6, atol=1e-7, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("kind", ["group", "plain"])
def test_muon_refuses_groups_that_do_not_say_who_moves_them(kind: str) -> None:
    make = parts.build("optimizer", "muon")
    said, weight = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"group 1 .*matrix.*training\.parameter_groups"):
        make([{"params": [said], "matrix": True}, {"params": [weight]} if kind == "group" else weight])
