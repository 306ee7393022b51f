"""Does every model of conf/model keep its promises, on its small stand-in? And would we notice if not?"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor

from circuitvlm.core.record import Dialogue, Picture
from circuitvlm.core.tensor import IGNORE, IMAGE, Encoded
from circuitvlm.runtime.config.allow_list import instantiate
from tests.contract import rooms
from tests.contract.desk import Desk, alone, built, logits, longer, losses, standin, together, train

NEW = 6
"""Tokens to generate."""


def promise_round_trip(model: Any, desk: Desk) -> None:
    """Decoding what was encoded gives the reply back."""
    codec = model.codec()
    for dialogue, sample in zip(desk.dialogues, desk.samples(model), strict=True):
        said = codec.decode(_reply_tokens(sample).tolist())
        assert said == dialogue.reply, f"{dialogue.id}: decoded {said!r}, wanted {dialogue.reply!r}"


def promise_labels(model: Any, desk: Desk) -> None:
    """Labels are IGNORE everywhere but the reply and its end token; a prompt without reply is the same prompt."""
    codec = model.codec()
    ends = set()
    for told, asked in zip(desk.samples(model), desk.samples(model, reply=False), strict=True):
        reply = _reply_tokens(told)
        assert torch.equal(told.tokens_T[len(told) - len(reply) :], reply), f"{told.id}: labels are not its last tokens"
        assert len(told) - len(reply) == len(asked), f"{told.id}: labels begin elsewhere than the reply"
        assert torch.equal(told.tokens_T[: len(asked)], asked.tokens_T), f"{told.id}: another prompt with its reply"
        assert (asked.labels_T == IGNORE).all(), f"{asked.id}: labels without a reply"
        assert len(reply), f"{told.id}: no end token is labelled"
        assert codec.decode(reply[:-1].tolist()) == codec.decode(reply.tolist()), f"{told.id}: no end token"
        ends.add(int(reply[-1]))
    assert len(ends) == 1, f"replies end with different tokens: {ends}"


def promise_company(model: Any, desk: Desk) -> None:
    """A sample alone has the loss that it has in any batch, in any company, padded on either side."""
    net, samples, pad = built(model), desk.samples(model), model.codec().pad
    with torch.no_grad():
        single = [float(losses(model, net, alone(sample))[0]) for sample in samples]
        for order in _companies(len(samples)):
            for side in ("left", "right"):
                batch = together([samples[k] for k in order], pad=pad, side=side)
                for k, loss in zip(order, losses(model, net, batch).tolist(), strict=True):
                    where = f"{samples[k].id} among {len(order)}, padded {side}"
                    assert loss == pytest.approx(single[k], rel=1e-4, abs=1e-4), f"another loss of {where}"


def promise_generation(model: Any, desk: Desk) -> None:
    """A prompt alone gets the tokens that it gets in any batch."""
    net, pad = _talker(model, desk), model.codec().pad
    samples = desk.samples(model, reply=False)
    single = [_generated(model, net, [sample], pad)[0] for sample in samples]
    assert len({tuple(tokens) for tokens in single}) > 2, f"the same tokens to every prompt: {single}"
    for order in _companies(len(samples)):
        found = _generated(model, net, [samples[k] for k in order], pad)
        for k, tokens in zip(order, found, strict=True):
            assert tokens == single[k], f"{samples[k].id}: {tokens} among {len(order)}, {single[k]} alone"


def promise_consistency(model: Any, desk: Desk) -> None:
    """What is generated token by token is what `say` finds most likely, seen at once."""
    net, pad = _talker(model, desk), model.codec().pad
    for sample in desk.samples(model, reply=False):
        tokens = _generated(model, net, [sample], pad)[0]
        if tokens:
            with torch.no_grad():
                best = logits(model, net, alone(longer(sample, tokens))).argmax(-1).tolist()
            assert best == tokens, f"{sample.id}: generated {tokens}, but {best} is most likely"


def promise_choices(model: Any, desk: Desk) -> None:
    """A question with choices is answered by the likeliest; one beside it says what it says alone."""
    net, codec = built(model), model.codec()
    asked = replace(desk.dialogues[0], choices=("A", "B", "C", "D"))
    free, bound = codec.encode(desk.dialogues[1], reply=False), codec.encode(asked, reply=False)
    said = _generated(model, net, [free, bound], codec.pad)
    assert said[0] == _generated(model, net, [free], codec.pad)[0], "another's choices bind a question without any"
    with torch.no_grad():
        first_V = logits(model, net, alone(codec.encode(replace(asked, reply="A"), reply=True)))[0]
    likeliest = codec.decode(max(bound.choices, key=lambda tokens: float(first_V[tokens[0]])))
    assert likeliest in asked.choices, f"of {asked.choices} only {likeliest!r} comes back"
    assert codec.decode(said[1]) == likeliest, f"said {codec.decode(said[1])!r}, the likeliest choice is {likeliest!r}"


def promise_learning(model: Any, desk: Desk) -> None:
    """Twenty steps on two samples lower their loss."""
    net, batch = built(model), _pair(model, desk)
    net.requires_grad_(True)
    before = float(losses(model, net, batch).sum().detach())
    train(net, lambda: losses(model, net, batch).sum() / 20, steps=20)
    after = float(losses(model, net, batch).sum().detach())
    assert after < 0.9 * before, f"the loss went from {before:.3f} to {after:.3f}"


def promise_sight(model: Any, desk: Desk) -> None:
    """Other images change the answer, and so do images in another order."""
    net, codec = built(model), model.codec()
    one, other = desk.pictures[0], _inverted(desk)

    def said(*images: Any) -> Tensor:
        with torch.no_grad():
            return logits(model, net, alone(codec.encode(desk.ask("x", "Read.", images, reply="R1"), reply=True)))

    assert torch.equal(said(one, other), said(one, other)), "the same images give other logits"
    difference = float((said(one) - said(other)).abs().max())
    assert difference > 1e-4, f"another image moves the logits by {difference} only"
    assert float((said(one, other) - said(other, one)).abs().max()) > 1e-4, "the order of the images changes nothing"


def promise_positions(model: Any, desk: Desk) -> None:
    """Positions are those that the net's own code would give (where transformers has code for it)."""
    index = getattr(getattr(built(model), "model", None), "get_rope_index", None)
    for sample in desk.samples(model):
        if index is None:
            wanted = torch.arange(len(sample)).expand_as(sample.positions_RT)
        else:
            batch = alone(sample)
            kind = batch.modality_BT.int()
            wanted = index(batch.tokens_BT, mm_token_type_ids=kind, image_grid_thw=batch.vision.get("image_grid_thw"))[
                0
            ][:, 0]
        assert torch.equal(sample.positions_RT, wanted), f"{sample.id}: positions differ from transformers'"


def promise_image_tokens(model: Any, desk: Desk) -> None:
    """An image has exactly as many tokens as features; a dialogue that cannot fit is refused, never cut."""
    net = built(model)
    dialogue = desk.dialogues[0]
    for sample in desk.samples(model):
        tokens = int((sample.modality_T == IMAGE).sum())
        features = model.see(net, alone(sample))
        assert len(features) == tokens, f"{sample.id}: {len(features)} features for {tokens} image tokens"
        assert torch.equal(sample.image_T >= 0, sample.modality_T == IMAGE), (
            f"{sample.id}: image_T disagrees with modality_T"
        )
    for asked, spare in ((dialogue, 1), (_strip(desk), 1), (desk.dialogues[1], -1)):  # the last has no image
        whole = model.codec().encode(asked, reply=True)
        least = len(_text(whole)) + min(spare, int((whole.modality_T == IMAGE).sum()) - 1)  # an image may be one token
        refusal = _refusal(partial(_changed(model, max_tokens=least).codec().encode, asked, reply=True))
        assert refusal is not None, f"{asked.id}: a dialogue that cannot fit was accepted"
        assert asked.id in refusal, f"the refusal does not name the dialogue {asked.id}: {refusal}"


def promise_shrinking(model: Any, desk: Desk) -> None:
    """An image is shrunk where its dialogue would not fit; it still has as many tokens as features."""
    net = built(model)
    dialogue = desk.dialogues[0]
    full = model.codec().encode(dialogue, reply=True)
    tight = _changed(model, max_tokens=len(full) - 1).codec().encode(dialogue, reply=True)
    assert len(tight) < len(full), f"{len(tight)} tokens where max_tokens is {len(full) - 1}"
    assert torch.equal(_text(tight), _text(full)), "shrinking the image changed the text"
    tokens, features = int((tight.modality_T == IMAGE).sum()), len(model.see(net, alone(tight)))
    assert features == tokens, f"{features} features for {tokens} image tokens"


def promise_pixels(model: Any, desk: Desk) -> None:
    """Pixels are those of the stock image processor, loaded from the model's folder and from what the codec saves."""
    saved = desk.folder / "saved"
    model.codec().save(saved)
    for sample, dialogue in zip(desk.samples(model), desk.dialogues, strict=True):
        images = [picture.open() for turn in dialogue.prompt for picture in turn.images]
        for folder in (_eyes(model), saved) if images else ():
            made = AutoImageProcessor.from_pretrained(folder, backend="pil")(images=images, return_tensors="pt")
            assert set(made) == set(sample.vision), f"{sample.id}: {set(sample.vision)}, wanted {set(made)}"
            for key, value in made.items():
                assert torch.equal(sample.vision[key], value), f"{sample.id}: {key} is not the stock processor's"


def promise_control(model: Any, desk: Desk) -> None:
    """Control tokens in the words of a user or of a reply do not become control tokens."""
    codec = model.codec()
    special = set(codec.tokenizer.all_special_ids) | set(codec.tokenizer.added_tokens_decoder)
    words = sorted(codec.tokenizer.convert_ids_to_tokens(sorted(special)))
    for word in words:
        if len(word) == 1:
            continue  # a letter of its own, such as the sign for what is unknown
        for text, reply in ((f"Read {word} this.", "R1"), ("Read this.", f"R1 {word} 1"), (f"{word}{word}", word)):
            plain = codec.encode(desk.ask("x", "Read this.", (desk.pictures[0],), reply="R1"), reply=True)
            forged = codec.encode(desk.ask("x", text, (desk.pictures[0],), reply=reply), reply=True)
            wanted, found = (sum(int(t) in special - _letters(codec) for t in s.tokens_T) for s in (plain, forged))
            assert found == wanted, f"{word!r} in the text was taken for a control token"


def promise_travel(model: Any, desk: Desk) -> None:
    """The codec goes to loader workers: small, and the same on the other side."""
    codec = model.codec()
    packed = pickle.dumps(codec)
    assert len(packed) < 30_000_000, f"a worker would be sent {len(packed):,} bytes"
    there = pickle.loads(packed).encode(desk.dialogues[0], reply=True)
    assert torch.equal(there.tokens_T, codec.encode(desk.dialogues[0], reply=True).tokens_T), (
        "another codec after the journey"
    )


def promise_components(model: Any, desk: Desk) -> None:
    """Every weight lies in one component of the map; every prefix and every stack of blocks is there."""
    net = built(model)
    modules = {name for name, _ in net.named_modules()}
    prefixes = [prefix for group in model.components.values() for prefix in group]
    lost = [name for name in (*prefixes, *model.blocks) if name not in modules]
    assert not lost, f"no such modules: {lost}"
    for name, _ in net.named_parameters():
        homes = [prefix for prefix in prefixes if name.startswith(f"{prefix}.")]
        assert len(homes) == 1, f"{name} lies in {homes}"


def promise_checkpointing(model: Any, desk: Desk) -> None:
    """Every weight gets a gradient, and the same one with gradient checkpointing, which reaches every block."""
    wanted, found = (_gradients(_changed(model, gradient_checkpointing=on), desk) for on in (False, True))
    for name, gradient in wanted.items():
        assert gradient is not None, f"{name} gets no gradient"
        assert found[name] is not None, f"{name} gets no gradient with checkpointing"
        torch.testing.assert_close(found[name], gradient, msg=lambda text, name=name: f"{name}: {text}")


def promise_blindness(model: Any, desk: Desk) -> None:
    """A batch without images goes through all that sees: where a rank left weights out, others would wait for it."""
    net = built(model)
    seeing = {name: p.requires_grad_(True) for name, p in net.named_parameters() if _component(model, name) in EYES}
    batch = alone(desk.samples(model)[1])
    assert len(model.see(net, batch)) == 0, "features of a batch without images"
    losses(model, net, batch).sum().backward()
    for name, weight in seeing.items():
        assert weight.grad is not None, f"{name} is left out of the graph"
        assert not weight.grad.any(), f"{name} is moved by a batch without images"


def promise_quantization(model: Any, desk: Desk) -> None:
    """With nf4 the LLM alone is in 4 bits, and a gradient goes through it to the projector."""
    net = model.build(dtype=torch.float32, quantization=instantiate(rooms.section("quantization", "nf4_float32")))
    for name, part in net.named_modules():
        if isinstance(part, torch.nn.Linear):
            wanted = "Linear4bit" if _component(model, name) == "llm" else "Linear"
            assert type(part).__name__ == wanted, f"{name} is a {type(part).__name__}, wanted {wanted}"
    mapped = [p.requires_grad_(True) for name, p in net.named_parameters() if _component(model, name) == "projector"]
    losses(model, net.train(), _pair(model, desk)).sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in mapped), "no gradient comes through the quantized LLM"


# ------------------------------------------------------------------------------------------------------------- helpers


EYES = ("vision", "projector")
"""The components that an image goes through before the LLM."""


def _component(model: Any, name: str) -> str | None:
    """The component of the map that a weight or module lies in."""
    held = ((key, f"{prefix}.") for key, prefixes in model.components.items() for prefix in prefixes)
    return next((key for key, prefix in held if f"{name}.".startswith(prefix)), None)


def _gradients(model: Any, desk: Desk) -> dict[str, Tensor | None]:
    """Of a training net's every weight; where the model checkpoints, so must each of its blocks."""
    net = built(model).train()
    if model.gradient_checkpointing:
        blocks = [block for stack in model.blocks for block in net.get_submodule(stack)]
        assert all(block.gradient_checkpointing for block in blocks), "a block does not checkpoint"
    net.requires_grad_(True)
    losses(model, net, _pair(model, desk)).sum().backward()
    return {name: p.grad for name, p in net.named_parameters()}


def _reply_tokens(sample: Encoded) -> Tensor:
    return sample.labels_T[sample.labels_T != IGNORE]


def _text(sample: Encoded) -> Tensor:
    return sample.tokens_T[sample.modality_T != IMAGE]


def _companies(count: int) -> list[Sequence[int]]:
    """Everybody, everybody the other way round, and two by two."""
    return [range(count), range(count - 1, -1, -1), (0, 1), (1, 3), (2, 4)]


def _pair(model: Any, desk: Desk) -> Any:
    samples = desk.samples(model)
    return together([samples[0], samples[3]], pad=model.codec().pad, side="right")


def _talker(model: Any, desk: Desk) -> torch.nn.Module:
    """A net that has learnt to say different things to different prompts: an untrained one says the same to all."""
    net, known = built(model), desk.learnt.get(model.folder)
    if known is None:
        batch = together(desk.samples(model), pad=model.codec().pad, side="right")
        net.requires_grad_(True)
        train(net, lambda: losses(model, net, batch).sum() / 50, steps=36, lr=1e-2)
        desk.learnt[model.folder] = net.state_dict()
    else:
        net.load_state_dict(known)
    return net


def _generated(model: Any, net: torch.nn.Module, samples: list[Encoded], pad: int) -> list[list[int]]:
    batch = together(samples, pad=pad, side="left")
    rows: list[list[int]] = model.generate(net, batch, max_new_tokens=NEW, synced=False)
    return rows


def _refusal(act: Callable[[], Any]) -> str | None:
    try:
        act()
    except ValueError as error:
        return str(error)
    return None


def _eyes(model: Any) -> Path:
    """Where the image processor's configuration lies: beside the model's, or in a tower's own folder."""
    return Path(getattr(model, "vision_folder", model.folder))


def _changed(model: Any, **settings: Any) -> Any:
    other = copy.copy(model)
    for name, value in settings.items():
        setattr(other, name, value)
    return other


def _inverted(desk: Desk) -> Any:
    """A picture of the first one's size with black and white exchanged."""
    path = desk.folder / "inverted.png"
    if not path.is_file():
        desk.pictures[0].open().point(lambda value: 255 - value).save(path)
    return replace(desk.pictures[0], path=path)


def _strip(desk: Desk) -> Dialogue:
    """About a picture so thin that it is rounded up to one row of patches and cannot be shrunk below that."""
    path = desk.folder / "strip.png"
    Image.new("RGB", (380, 2), "white").save(path)
    return desk.ask("strip", "Read.", (Picture(path),), reply="R1")


def _letters(codec: Any) -> set[int]:
    """Special tokens that a text may hold: the sign for what is unknown."""
    unknown = codec.tokenizer.unk_token_id
    return set() if unknown is None else {unknown}


# ------------------------------------------------------------------------------------------------------- what is there


QUICK = (promise_round_trip, promise_labels, promise_components)
"""What is asked of every YAML; all promises are asked of one for each family, since stand-ins are all of one size."""

ASKED = [
    pytest.param(promise, name, id=f"{rooms.name_of(promise)}-{name}")
    for name in rooms.names("model")
    for promise in rooms.promises_of(globals())
    if name in rooms.families("model") or promise in QUICK
]


@pytest.mark.parametrize(("promise", "name"), ASKED)
def test_model_keeps(promise: rooms.Promise, name: str, cache: Path, desk: Desk) -> None:
    rooms.hold(promise, standin(name, cache), desk)


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed; promise_pixels stands in")
@pytest.mark.parametrize("name", rooms.names("model"))
def test_pixels_are_those_of_the_stock_processor(name: str, cache: Path, desk: Desk) -> None:
    model = standin(name, cache)
    stock = AutoImageProcessor.from_pretrained(_eyes(model), backend="torchvision")
    grey = 1 / 255 / min(abs(value) for value in stock.image_std)  # one of 255 levels, in the processor's own units
    for picture in desk.pictures:
        made = stock(images=[picture.open()], return_tensors="pt")
        ours = model.codec().encode(desk.ask("x", "Read.", (picture,), reply="R1"), reply=True).vision
        assert all(torch.equal(ours[key], made[key]) for key in made if key != "pixel_values")
        # torchvision resizes in another rounding, which shows at hard edges; without resizing there is no difference
        width, height = picture.open().size
        resized = made["pixel_values"].numel() != 3 * width * height
        difference = (ours["pixel_values"] - made["pixel_values"]).abs()
        assert float(difference.mean()) <= (grey if resized else 1e-5)


# -------------------------------------------------------------------------------------- and we would notice if it broke


def with_codec(change: Callable[[Encoded], Encoded], *, only: Callable[[Any], bool] = lambda dialogue: True) -> Any:
    """A fault: a codec whose samples come out changed."""

    def make(model: Any) -> Any:
        real = type(model).codec

        def codec(self: Any) -> Any:
            whole = real(self)
            encoded = type(whole).encode

            def encode(this: Any, dialogue: Any, *, reply: bool) -> Encoded:
                sample = encoded(this, dialogue, reply=reply)
                return change(sample) if only(dialogue) else sample

            return rooms.broken(whole, encode=encode)

        return rooms.broken(model, codec=codec)

    return make


def with_say(change: Callable[[Any, Any, Any], tuple[Any, Any]], *, factor: float = 1.0) -> Any:
    """A fault: a model that says something from changed features and a changed batch."""

    def make(model: Any) -> Any:
        real = type(model).say

        def say(self: Any, net: Any, features: Any, batch: Any) -> Tensor:
            changed, other = change(net, features, batch)
            said: Tensor = real(self, net, changed, other) * factor
            return said

        return rooms.broken(model, say=say)

    return make


def with_generate(change: Callable[[list[list[int]]], list[list[int]]]) -> Any:
    def make(model: Any) -> Any:
        real = type(model).generate
        return rooms.broken(model, generate=lambda self, *given, **named: change(real(self, *given, **named)))

    return make


def with_build(change: Callable[[Any], Any] = lambda net: net, **instead: Any) -> Any:
    """A fault: a model that builds its net by other arguments, or changes it."""

    def make(model: Any) -> Any:
        real = type(model).build
        return rooms.broken(model, build=lambda self, **named: change(real(self, **named | instead)))

    return make


def unbound(model: Any) -> Any:
    """A fault: choices are not heeded."""
    real = type(model).generate
    return rooms.broken(model, generate=lambda self, net, b, **named: real(self, net, replace(b, choices=()), **named))


def careless(model: Any) -> Any:
    """A fault: where there is no image, nothing is looked at."""
    real = type(model).see

    def see(self: Any, net: Any, batch: Any) -> Tensor:
        features: Tensor = real(self, net, batch)
        return features if batch.vision else features.detach()

    return rooms.broken(model, see=see)


def severed(net: Any, features: Tensor) -> Tensor:
    """Features that checkpointing cuts off from what made them, as it does where it is reentrant."""
    return features.detach() if net.is_gradient_checkpointing else features


def unchecked(net: Any) -> Any:
    net.gradient_checkpointing_disable()
    return net


def heavy(model: Any) -> Any:
    whole = model.codec()
    whole.weights = torch.zeros(10_000_000)
    return rooms.broken(model, codec=lambda self: whole)


def boundless(model: Any) -> Any:
    """A fault: a codec that heeds no bound."""
    real = type(model).codec

    def codec(self: Any) -> Any:
        whole = real(self)
        whole.max_tokens = 1_000_000
        return whole

    return rooms.broken(model, codec=codec)


def cut(sample: Encoded) -> Encoded:
    """An image token less, as a cut at the left would do it."""
    where = int((sample.modality_T == IMAGE).nonzero()[0]) if (sample.modality_T == IMAGE).any() else 0
    keep = torch.arange(len(sample)) != where
    row = {n: getattr(sample, n)[..., keep] for n in ("tokens_T", "labels_T", "modality_T", "image_T", "positions_RT")}
    return replace(sample, **row)


def prompt_labelled(sample: Encoded) -> Encoded:
    return replace(sample, labels_T=torch.where(sample.modality_T == IMAGE, IGNORE, sample.tokens_T))


def reply_shortened(sample: Encoded) -> Encoded:
    return replace(sample, labels_T=torch.where(torch.arange(len(sample)) < len(sample) - 3, IGNORE, sample.labels_T))


def delayed(sample: Encoded) -> Encoded:
    """Every position but the first is one too late."""
    return replace(sample, positions_RT=sample.positions_RT + (torch.arange(len(sample)) > 0))


def dimmed(sample: Encoded) -> Encoded:
    return replace(sample, vision={key: value * 1.01 for key, value in sample.vision.items()})


def forged(sample: Encoded) -> Encoded:
    return replace(sample, tokens_T=torch.cat([sample.tokens_T, sample.tokens_T[-1:]]))


def marked(dialogue: Any) -> bool:
    return any("<" in turn.text for turn in dialogue.prompt)


BROKEN = [
    (promise_round_trip, with_codec(reply_shortened), "decoded"),
    (promise_labels, with_codec(prompt_labelled), "labels"),
    (promise_company, with_say(lambda net, f, b: (f, replace(b, mask=torch.ones_like(b.mask)))), "another loss"),
    (promise_generation, with_generate(lambda rows: [[*row, len(rows)] for row in rows]), "among"),
    (promise_consistency, with_generate(lambda rows: [[t + 1 for t in row] for row in rows]), "most likely"),
    (promise_choices, unbound, "the likeliest choice is"),
    (promise_learning, with_say(lambda net, f, b: (f, b), factor=0.0), "the loss went"),
    (promise_sight, with_say(lambda net, f, b: (f * 0, b)), "moves the logits"),
    (promise_positions, with_codec(delayed), "positions differ"),
    (promise_image_tokens, with_codec(cut), "features for"),
    (promise_shrinking, boundless, "tokens where max_tokens is"),
    (promise_pixels, with_codec(dimmed), "not the stock processor's"),
    (promise_control, with_codec(forged, only=marked), "control token"),
    (promise_travel, heavy, "bytes"),
    (promise_components, lambda model: rooms.broken(model, components={"llm": model.components["llm"]}), "lies in"),
    (promise_checkpointing, with_build(unchecked), "does not checkpoint"),
    (promise_checkpointing, with_say(lambda net, f, b: (severed(net, f), b)), "no gradient with checkpointing"),
    (promise_blindness, careless, "left out of the graph"),
    (promise_quantization, with_build(quantization=None), "wanted Linear4bit"),
]


@pytest.mark.parametrize(("promise", "fault", "said"), BROKEN, ids=[rooms.name_of(row[0]) for row in BROKEN])
def test_a_broken_model_is_noticed(promise: rooms.Promise, fault: Any, said: str, cache: Path, desk: Desk) -> None:
    able = (standin(name, cache) for name in rooms.families("model"))
    model = fault(next(m for m in able if rooms.name_of(promise) not in getattr(m, "exempt", {})))
    with pytest.raises(AssertionError, match=said):
        promise(model, desk)


def test_every_promise_is_proven() -> None:
    assert rooms.unproven(globals(), BROKEN) == []
