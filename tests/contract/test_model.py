"""Test the promises of every model of conf/model on its smoke-test model, and that a broken model fails them."""

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
from circuitvlm.training.network import decode_replies
from tests.contract import parts
from tests.contract.harness import (
    Harness,
    append_tokens,
    build_net,
    logits,
    losses,
    padded_batch,
    single_batch,
    smoke_test_model,
    train,
)

MAX_NEW_TOKENS = 6


def promise_round_trip(model: Any, harness: Harness) -> None:
    """Decoding what was encoded gives the reply back."""
    codec = model.codec()
    for dialogue, sample in zip(harness.dialogues, harness.samples(model), strict=True):
        reply = codec.decode(_reply_tokens(sample).tolist())
        assert reply == dialogue.reply, f"{dialogue.id}: decoded {reply!r}, expected {dialogue.reply!r}"


def promise_labels(model: Any, harness: Harness) -> None:
    """Labels are IGNORE everywhere but the reply and its end token; a prompt without reply is the same prompt."""
    codec = model.codec()
    ends = set()
    for sample, prompt in zip(harness.samples(model), harness.samples(model, reply=False), strict=True):
        reply = _reply_tokens(sample)
        assert torch.equal(sample.tokens_T[len(sample) - len(reply) :], reply), (
            f"{sample.id}: labels are not its last tokens"
        )
        assert len(sample) - len(reply) == len(prompt), f"{sample.id}: labels begin elsewhere than the reply"
        assert torch.equal(sample.tokens_T[: len(prompt)], prompt.tokens_T), (
            f"{sample.id}: another prompt with its reply"
        )
        assert (prompt.labels_T == IGNORE).all(), f"{prompt.id}: labels without a reply"
        assert len(reply), f"{sample.id}: no end token is labelled"
        assert codec.decode(reply[:-1].tolist()) == codec.decode(reply.tolist()), f"{sample.id}: no end token"
        ends.add(int(reply[-1]))
    assert len(ends) == 1, f"replies end with different tokens: {ends}"


def promise_batching(model: Any, harness: Harness) -> None:
    """A sample alone has the loss that it has with any others in a batch, padded on either side."""
    net, samples, pad = build_net(model), harness.samples(model), model.codec().pad
    with torch.no_grad():
        single = [float(losses(model, net, single_batch(sample))[0]) for sample in samples]
        for order in _orders(len(samples)):
            for side in ("left", "right"):
                batch = padded_batch([samples[k] for k in order], pad=pad, side=side)
                for k, loss in zip(order, losses(model, net, batch).tolist(), strict=True):
                    where = f"{samples[k].id} in a batch of {len(order)}, padded {side}"
                    assert loss == pytest.approx(single[k], rel=1e-4, abs=1e-4), f"another loss of {where}"


def promise_generation(model: Any, harness: Harness) -> None:
    """A prompt alone gets the tokens that it gets in any batch."""
    net, pad = _trained_net(model, harness), model.codec().pad
    samples = harness.samples(model, reply=False)
    single = [_generate(model, net, [sample], pad)[0] for sample in samples]
    assert len({tuple(tokens) for tokens in single}) > 2, f"the same reply to every prompt: {single}"
    for order in _orders(len(samples)):
        replies = _generate(model, net, [samples[k] for k in order], pad)
        for k, tokens in zip(order, replies, strict=True):
            assert tokens == single[k], f"{samples[k].id}: {tokens} in a batch of {len(order)}, {single[k]} alone"


def promise_sampling(model: Any, harness: Harness) -> None:
    """A prompt alone gets the random tokens that it gets in a batch; another seed gives others."""
    net, pad = _trained_net(model, harness), model.codec().pad
    samples = harness.samples(model, reply=False)
    warm, other = (replace(model, sampling={"temperature": 4.0, "seed": seed}) for seed in (0, 1))
    single = [_generate(warm, net, [sample], pad)[0] for sample in samples]
    assert single != _generate(other, net, samples, pad), "two seeds give the same replies"
    assert single != _generate(model, net, samples, pad), "the replies are not random"
    assert single == _generate(warm, net, samples, pad), "other replies in a batch than alone"


def promise_consistency(model: Any, harness: Harness) -> None:
    """The tokens generated one by one are the most likely ones by `answer_logits` in one pass."""
    net, pad = _trained_net(model, harness), model.codec().pad
    for sample in harness.samples(model, reply=False):
        tokens = _generate(model, net, [sample], pad)[0]
        if tokens:
            with torch.no_grad():
                best = logits(model, net, single_batch(append_tokens(sample, tokens))).argmax(-1).tolist()
            assert best == tokens, f"{sample.id}: generated {tokens}, but {best} is most likely"


def promise_end(model: Any, harness: Harness) -> None:
    """A reply is cut where `max_new_tokens` leaves no room for its end token; a reply that is not cut is whole."""
    net, codec = _trained_net(model, harness), model.codec()
    samples = harness.samples(model, reply=False)
    lengths = [len(row) for row in _generate(model, net, samples, codec.pad)]
    assert 0 < min(length for length in lengths if length) < MAX_NEW_TOKENS, f"no reply ends by itself: {lengths}"
    for limit in range(1, MAX_NEW_TOKENS):
        batch = padded_batch(samples, pad=codec.pad, side="left")
        rows = model.generate(net, batch, max_new_tokens=limit, synced_gpus=False)
        replies = decode_replies(rows, batch, codec=codec, max_new_tokens=limit)
        flags, expected = [reply.cut for reply in replies], [length >= limit for length in lengths]
        assert flags == expected, f"max_new_tokens={limit}: cut {flags}, expected {expected}"
        for sample, row, reply in zip(samples, rows, replies, strict=True):
            if not reply.cut:
                with torch.no_grad():
                    next_token = int(logits(model, net, single_batch(append_tokens(sample, [*row, 0])))[-1].argmax())
                assert next_token == codec.end, f"{sample.id}: {row} is not cut, but {next_token} follows"


def promise_choices(model: Any, harness: Harness) -> None:
    """A question with choices gets the likeliest one; a question without choices in its batch gets its usual reply."""
    net, codec = build_net(model), model.codec()
    question = replace(harness.dialogues[0], choices=("A", "B", "C", "D"))
    free_sample, choice_sample = codec.encode(harness.dialogues[1], reply=False), codec.encode(question, reply=False)
    replies = _generate(model, net, [free_sample, choice_sample], codec.pad)
    assert replies[0] == _generate(model, net, [free_sample], codec.pad)[0], (
        "the choices of one question constrain another"
    )
    with torch.no_grad():
        first_V = logits(model, net, single_batch(codec.encode(replace(question, reply="A"), reply=True)))[0]
    likeliest = codec.decode(max(choice_sample.choices, key=lambda tokens: float(first_V[tokens[0]])))
    assert likeliest in question.choices, f"expected one of {question.choices}, got {likeliest!r}"
    assert codec.decode(replies[1]) == likeliest, (
        f"replied {codec.decode(replies[1])!r}, the likeliest choice is {likeliest!r}"
    )


def promise_learning(model: Any, harness: Harness) -> None:
    """Twenty steps on two samples lower their loss."""
    net, batch = build_net(model), _pair(model, harness)
    net.requires_grad_(True)
    first_loss = float(losses(model, net, batch).sum().detach())
    train(net, lambda: losses(model, net, batch).sum() / 20, steps=20)
    last_loss = float(losses(model, net, batch).sum().detach())
    assert last_loss < 0.9 * first_loss, f"the loss went from {first_loss:.3f} to {last_loss:.3f}"


def promise_image_dependence(model: Any, harness: Harness) -> None:
    """Other images change the answer, and so do images in another order."""
    net, codec = build_net(model), model.codec()
    picture, inverted = harness.pictures[0], _inverted_picture(harness)

    def image_logits(*images: Any) -> Tensor:
        with torch.no_grad():
            return logits(
                model, net, single_batch(codec.encode(harness.ask("x", "Read.", images, reply="R1"), reply=True))
            )

    assert torch.equal(image_logits(picture, inverted), image_logits(picture, inverted)), (
        "the same images give other logits"
    )
    difference = float((image_logits(picture) - image_logits(inverted)).abs().max())
    assert difference > 1e-4, f"another image changes the logits by {difference} only"
    assert float((image_logits(picture, inverted) - image_logits(inverted, picture)).abs().max()) > 1e-4, (
        "the order of the images changes nothing"
    )


def promise_positions(model: Any, harness: Harness) -> None:
    """Positions are those that the net's own code would give (where transformers has code for it)."""
    get_rope_index = getattr(getattr(build_net(model), "model", None), "get_rope_index", None)
    for sample in harness.samples(model):
        if get_rope_index is None:
            reference = torch.arange(len(sample)).expand_as(sample.positions_RT)
        else:
            batch = single_batch(sample)
            token_types = batch.modality_BT.int()
            grid = batch.vision.get("image_grid_thw")
            positions_RBT, _ = get_rope_index(batch.tokens_BT, mm_token_type_ids=token_types, image_grid_thw=grid)
            reference = positions_RBT[:, 0]
        assert torch.equal(sample.positions_RT, reference), f"{sample.id}: positions differ from transformers'"


def promise_image_tokens(model: Any, harness: Harness) -> None:
    """An image has exactly as many tokens as features; a dialogue that cannot fit is refused, never cut."""
    net = build_net(model)
    dialogue = harness.dialogues[0]
    for sample in harness.samples(model):
        tokens = int((sample.modality_T == IMAGE).sum())
        features = model.image_features(net, single_batch(sample))
        assert len(features) == tokens, f"{sample.id}: {len(features)} features for {tokens} image tokens"
        assert torch.equal(sample.image_T >= 0, sample.modality_T == IMAGE), (
            f"{sample.id}: image_T disagrees with modality_T"
        )
    for long_dialogue, spare in (
        (dialogue, 1),
        (_strip(harness), 1),
        (harness.dialogues[1], -1),
    ):  # the last has no image
        sample = model.codec().encode(long_dialogue, reply=True)
        # an image may be one token
        bound = len(_text(sample)) + min(spare, int((sample.modality_T == IMAGE).sum()) - 1)
        refusal = _refusal(partial(_bounded(model, sample, bound).codec().encode, long_dialogue, reply=True))
        assert refusal is not None, f"{long_dialogue.id}: a dialogue that cannot fit was accepted"
        assert long_dialogue.id in refusal, f"the refusal does not name the dialogue {long_dialogue.id}: {refusal}"


def _bounded(model: Any, sample: Encoded, max_tokens: int) -> Any:
    """The model with another bound, of which a family that keeps tokens for a reply keeps those of this sample's."""
    reply_tokens = int((sample.labels_T != IGNORE).sum())
    return _with_settings(
        model, max_tokens=max_tokens, **({"reply_tokens": reply_tokens} if hasattr(model, "reply_tokens") else {})
    )


def promise_shrinking(model: Any, harness: Harness) -> None:
    """An image is shrunk where its dialogue would not fit; it still has as many tokens as features."""
    net = build_net(model)
    dialogue = harness.dialogues[0]
    full = model.codec().encode(dialogue, reply=True)
    codec = _bounded(model, full, len(full) - 1).codec()
    tight, prompt = (codec.encode(dialogue, reply=reply) for reply in (True, False))
    assert len(tight) < len(full), f"{len(tight)} tokens where max_tokens is {len(full) - 1}"
    assert torch.equal(tight.image_T[: len(prompt)], prompt.image_T), "the image depends on the reply"
    assert (full.shrunk_images, tight.shrunk_images) == (0, 1), "shrunk images are not counted"
    assert torch.equal(_text(tight), _text(full)), "shrinking the image changed the text"
    tokens, features = int((tight.modality_T == IMAGE).sum()), len(model.image_features(net, single_batch(tight)))
    assert features == tokens, f"{features} features for {tokens} image tokens"


def promise_pixels(model: Any, harness: Harness) -> None:
    """Pixels are those of transformers' own image processor, from the model's folder and from what the codec saves."""
    saved_folder = harness.folder / "saved"
    model.codec().save(saved_folder)
    for sample, dialogue in zip(harness.samples(model), harness.dialogues, strict=True):
        images = [picture.open() for turn in dialogue.prompt for picture in turn.images]
        for folder in (_image_processor_folder(model), saved_folder) if images else ():
            tensors = AutoImageProcessor.from_pretrained(folder, backend="pil")(images=images, return_tensors="pt")
            assert set(tensors) == set(sample.vision), f"{sample.id}: got {set(sample.vision)}, expected {set(tensors)}"
            for key, value in tensors.items():
                assert torch.equal(sample.vision[key], value), f"{sample.id}: {key} is not transformers'"


def promise_control(model: Any, harness: Harness) -> None:
    """Control words in the text of a user or of a reply do not become control tokens."""
    codec = model.codec()
    special = set(codec.tokenizer.all_special_ids) | set(codec.tokenizer.added_tokens_decoder)
    words = sorted(codec.tokenizer.convert_ids_to_tokens(sorted(special)))
    for word in words:
        if len(word) == 1:
            continue  # a single character, such as the unknown token
        for text, reply in ((f"Read {word} this.", "R1"), ("Read this.", f"R1 {word} 1"), (f"{word}{word}", word)):
            plain = codec.encode(harness.ask("x", "Read this.", (harness.pictures[0],), reply="R1"), reply=True)
            forged_sample = codec.encode(harness.ask("x", text, (harness.pictures[0],), reply=reply), reply=True)
            control = special - _letters(codec)
            expected_count, count = (sum(int(t) in control for t in s.tokens_T) for s in (plain, forged_sample))
            assert count == expected_count, f"{word!r} in the text became a control token"


def promise_pickling(model: Any, harness: Harness) -> None:
    """The codec can be sent to loader workers: its pickle is small and encodes in the same way."""
    codec = model.codec()
    data = pickle.dumps(codec)
    assert len(data) < 30_000_000, f"a worker would be sent {len(data):,} bytes"
    sample = pickle.loads(data).encode(harness.dialogues[0], reply=True)
    assert torch.equal(sample.tokens_T, codec.encode(harness.dialogues[0], reply=True).tokens_T), (
        "the unpickled codec encodes differently"
    )


def promise_components(model: Any, harness: Harness) -> None:
    """Every weight lies in one component of the map; every prefix and every stack of blocks is there."""
    net = build_net(model)
    modules = {name for name, _ in net.named_modules()}
    prefixes = [prefix for group in model.components.values() for prefix in group]
    missing_names = [name for name in (*prefixes, *model.blocks) if name not in modules]
    assert not missing_names, f"no such modules: {missing_names}"
    for name, _ in net.named_parameters():
        components = [prefix for prefix in prefixes if name.startswith(f"{prefix}.")]
        assert len(components) == 1, f"{name} lies in {components}"


def promise_checkpointing(model: Any, harness: Harness) -> None:
    """Every weight gets a gradient, and the same one with gradient checkpointing, which reaches every block."""
    plain_gradients, gradients = (
        _gradients(_with_settings(model, gradient_checkpointing=is_on), harness) for is_on in (False, True)
    )
    for name, gradient in plain_gradients.items():
        assert gradient is not None, f"{name} gets no gradient"
        assert gradients[name] is not None, f"{name} gets no gradient with checkpointing"
        torch.testing.assert_close(gradients[name], gradient, msg=lambda text, name=name: f"{name}: {text}")


def promise_empty_batch(model: Any, harness: Harness) -> None:
    """A batch without images runs the tower and the projector: other ranks would wait for a rank that did not."""
    net = build_net(model)
    image_weights = {
        name: p.requires_grad_(True)
        for name, p in net.named_parameters()
        if _component(model, name) in IMAGE_COMPONENTS
    }
    batch = single_batch(harness.samples(model)[1])
    assert len(model.image_features(net, batch)) == 0, "features of a batch without images"
    losses(model, net, batch).sum().backward()
    for name, weight in image_weights.items():
        assert weight.grad is not None, f"{name} is left out of the graph"
        assert not weight.grad.any(), f"{name} gets a gradient from a batch without images"


def promise_quantization(model: Any, harness: Harness) -> None:
    """With nf4 the LLM alone is in 4 bits, and a gradient goes through it to the projector."""
    net = model.build(dtype=torch.float32, quantization=instantiate(parts.section("quantization", "nf4_float32")))
    for name, part in net.named_modules():
        if isinstance(part, torch.nn.Linear):
            expected_class = "Linear4bit" if _component(model, name) == "llm" else "Linear"
            assert type(part).__name__ == expected_class, (
                f"{name} is a {type(part).__name__}, expected {expected_class}"
            )
    projector_weights = [
        p.requires_grad_(True) for name, p in net.named_parameters() if _component(model, name) == "projector"
    ]
    losses(model, net.train(), _pair(model, harness)).sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in projector_weights), (
        "no gradient comes through the quantized LLM"
    )


# ------------------------------------------------------------------------------------------------------------- helpers


IMAGE_COMPONENTS = ("vision", "projector")
"""The components that an image goes through before the LLM."""


def _component(model: Any, name: str) -> str | None:
    """The component whose prefix a weight or module has."""
    prefixes_by_component = ((key, f"{prefix}.") for key, prefixes in model.components.items() for prefix in prefixes)
    return next((key for key, prefix in prefixes_by_component if f"{name}.".startswith(prefix)), None)


def _gradients(model: Any, harness: Harness) -> dict[str, Tensor | None]:
    """The gradient of every weight in training; with gradient checkpointing, every block must use it."""
    net = build_net(model).train()
    if model.gradient_checkpointing:
        blocks = [block for stack in model.blocks for block in net.get_submodule(stack)]
        assert all(block.gradient_checkpointing for block in blocks), "a block does not checkpoint"
    net.requires_grad_(True)
    losses(model, net, _pair(model, harness)).sum().backward()
    return {name: p.grad for name, p in net.named_parameters()}


def _reply_tokens(sample: Encoded) -> Tensor:
    return sample.labels_T[sample.labels_T != IGNORE]


def _text(sample: Encoded) -> Tensor:
    return sample.tokens_T[sample.modality_T != IMAGE]


def _orders(count: int) -> list[Sequence[int]]:
    """All samples, all in reverse order, and pairs."""
    return [range(count), range(count - 1, -1, -1), (0, 1), (1, 3), (2, 4)]


def _pair(model: Any, harness: Harness) -> Any:
    samples = harness.samples(model)
    return padded_batch([samples[0], samples[3]], pad=model.codec().pad, side="right")


def _trained_net(model: Any, harness: Harness) -> torch.nn.Module:
    """A net that has learnt different replies to different prompts; an untrained one replies the same to all."""
    net, state = build_net(model), harness.learnt.get(model.folder)
    if state is None:
        batch = padded_batch(harness.samples(model), pad=model.codec().pad, side="right")
        net.requires_grad_(True)
        train(net, lambda: losses(model, net, batch).sum() / 50, steps=36, lr=1e-2)
        harness.learnt[model.folder] = net.state_dict()
    else:
        net.load_state_dict(state)
    return net


def _generate(model: Any, net: torch.nn.Module, samples: list[Encoded], pad: int) -> list[list[int]]:
    batch = padded_batch(samples, pad=pad, side="left")
    rows: list[list[int]] = model.generate(net, batch, max_new_tokens=MAX_NEW_TOKENS, synced_gpus=False)
    return rows


def _refusal(act: Callable[[], Any]) -> str | None:
    try:
        act()
    except ValueError as error:
        return str(error)
    return None


def _image_processor_folder(model: Any) -> Path:
    """The folder of the image processor's configuration: the model's, or a tower's own."""
    return Path(getattr(model, "vision_folder", model.folder))


def _with_settings(model: Any, **settings: Any) -> Any:
    changed_model = copy.copy(model)
    for name, value in settings.items():
        setattr(changed_model, name, value)
    return changed_model


def _inverted_picture(harness: Harness) -> Any:
    """The first picture with black and white exchanged."""
    path = harness.folder / "inverted.png"
    if not path.is_file():
        harness.pictures[0].open().point(lambda value: 255 - value).save(path)
    return replace(harness.pictures[0], path=path)


def _strip(harness: Harness) -> Dialogue:
    """A dialogue about a picture so thin that it is rounded up to one row of patches and cannot be shrunk further."""
    path = harness.folder / "strip.png"
    Image.new("RGB", (380, 2), "white").save(path)
    return harness.ask("strip", "Read.", (Picture(path),), reply="R1")


def _letters(codec: Any) -> set[int]:
    """Special tokens that a text may contain: the unknown token."""
    unknown = codec.tokenizer.unk_token_id
    return set() if unknown is None else {unknown}


# --------------------------------------------------------------------------------------------- the models of conf/model


QUICK = (promise_round_trip, promise_labels, promise_components)
"""The promises tested on every YAML; all are tested on one YAML of each family, whose smoke-test models are alike."""

CASES = [
    pytest.param(promise, name, id=f"{parts.name_of(promise)}-{name}")
    for name in parts.names("model")
    for promise in parts.promises_of(globals())
    if name in parts.families("model") or promise in QUICK
]


@pytest.mark.parametrize(("promise", "name"), CASES)
def test_model_keeps(promise: parts.Promise, name: str, cache: Path, harness: Harness) -> None:
    parts.check_promise(promise, smoke_test_model(name, cache), harness)


@pytest.mark.skipif(
    find_spec("torchvision") is None, reason="torchvision is not installed; promise_pixels is tested instead"
)
@pytest.mark.parametrize("name", parts.names("model"))
def test_pixels_are_those_of_transformers_default_processor(name: str, cache: Path, harness: Harness) -> None:
    model = smoke_test_model(name, cache)
    processor = AutoImageProcessor.from_pretrained(_image_processor_folder(model), backend="torchvision")
    grey = 1 / 255 / min(abs(value) for value in processor.image_std)  # one of 255 levels, in the processor's own units
    for picture in harness.pictures:
        expected_tensors = processor(images=[picture.open()], return_tensors="pt")
        tensors = model.codec().encode(harness.ask("x", "Read.", (picture,), reply="R1"), reply=True).vision
        assert all(
            torch.equal(tensors[key], expected_tensors[key]) for key in expected_tensors if key != "pixel_values"
        )
        # torchvision resizes in another rounding, which shows at hard edges; without resizing there is no difference
        width, height = picture.open().size
        is_resized = expected_tensors["pixel_values"].numel() != 3 * width * height
        difference = (tensors["pixel_values"] - expected_tensors["pixel_values"]).abs()
        assert float(difference.mean()) <= (grey if is_resized else 1e-5)


# -------------------------------------------------------------------------------------------------------- broken models


def with_codec(change: Callable[[Encoded], Encoded], *, only: Callable[[Any], bool] = lambda dialogue: True) -> Any:
    """A fault: a codec with changed samples."""

    def break_model(model: Any) -> Any:
        original_codec = type(model).codec

        def codec(self: Any) -> Any:
            codec_copy = original_codec(self)
            original_encode = type(codec_copy).encode

            def encode(codec_self: Any, dialogue: Any, *, reply: bool) -> Encoded:
                sample = original_encode(codec_self, dialogue, reply=reply)
                return change(sample) if only(dialogue) else sample

            return parts.broken_copy(codec_copy, encode=encode)

        return parts.broken_copy(model, codec=codec)

    return break_model


def with_logits(change: Callable[[Any, Any, Any], tuple[Any, Any]], *, factor: float = 1.0) -> Any:
    """A fault: a model whose logits come from changed features and a changed batch."""

    def break_model(model: Any) -> Any:
        original = type(model).answer_logits

        def answer_logits(self: Any, net: Any, features: Any, batch: Any) -> Tensor:
            new_features, new_batch = change(net, features, batch)
            logits: Tensor = original(self, net, new_features, new_batch) * factor
            return logits

        return parts.broken_copy(model, answer_logits=answer_logits)

    return break_model


def with_generate(change: Callable[[list[list[int]]], list[list[int]]]) -> Any:
    def break_model(model: Any) -> Any:
        original = type(model).generate
        return parts.broken_copy(model, generate=lambda self, *args, **kwargs: change(original(self, *args, **kwargs)))

    return break_model


def with_build(change: Callable[[Any], Any] = lambda net: net, **replacements: Any) -> Any:
    """A fault: a model that builds its net by other arguments, or changes it."""

    def break_model(model: Any) -> Any:
        original = type(model).build
        return parts.broken_copy(model, build=lambda self, **kwargs: change(original(self, **kwargs | replacements)))

    return break_model


def without_choices(model: Any) -> Any:
    """A fault: choices are ignored."""
    original = type(model).generate
    return parts.broken_copy(
        model, generate=lambda self, net, b, **kwargs: original(self, net, replace(b, choices=()), **kwargs)
    )


def without_empty_image(model: Any) -> Any:
    """A fault: where there is no image, nothing is encoded."""
    original = type(model).image_features

    def image_features(self: Any, net: Any, batch: Any) -> Tensor:
        features: Tensor = original(self, net, batch)
        return features if batch.vision else features.detach()

    return parts.broken_copy(model, image_features=image_features)


def detach_if_checkpointing(net: Any, features: Tensor) -> Tensor:
    """Features without their graph where checkpointing is on, as with reentrant checkpointing."""
    return features.detach() if net.is_gradient_checkpointing else features


def disable_checkpointing(net: Any) -> Any:
    net.gradient_checkpointing_disable()
    return net


def with_large_codec(model: Any) -> Any:
    codec = model.codec()
    codec.weights = torch.zeros(10_000_000)
    return parts.broken_copy(model, codec=lambda self: codec)


def without_bound(model: Any) -> Any:
    """A fault: a codec that ignores its bound."""
    original = type(model).codec

    def codec(self: Any) -> Any:
        codec_copy = original(self)
        codec_copy.max_tokens = 1_000_000
        return codec_copy

    return parts.broken_copy(model, codec=codec)


def drop_image_token(sample: Encoded) -> Encoded:
    """The sample without its first image token."""
    place = int((sample.modality_T == IMAGE).nonzero()[0]) if (sample.modality_T == IMAGE).any() else 0
    keep = torch.arange(len(sample)) != place
    row = {n: getattr(sample, n)[..., keep] for n in ("tokens_T", "labels_T", "modality_T", "image_T", "positions_RT")}
    return replace(sample, **row)


def label_prompt(sample: Encoded) -> Encoded:
    return replace(sample, labels_T=torch.where(sample.modality_T == IMAGE, IGNORE, sample.tokens_T))


def shorten_reply(sample: Encoded) -> Encoded:
    return replace(sample, labels_T=torch.where(torch.arange(len(sample)) < len(sample) - 3, IGNORE, sample.labels_T))


def delay(sample: Encoded) -> Encoded:
    """Every position but the first is one too high."""
    return replace(sample, positions_RT=sample.positions_RT + (torch.arange(len(sample)) > 0))


def scale_pixels(sample: Encoded) -> Encoded:
    return replace(sample, vision={key: value * 1.01 for key, value in sample.vision.items()})


def repeat_end(sample: Encoded) -> Encoded:
    return replace(sample, tokens_T=torch.cat([sample.tokens_T, sample.tokens_T[-1:]]))


def has_control_word(dialogue: Any) -> bool:
    return any("<" in turn.text for turn in dialogue.prompt)


BROKEN_MODELS = [
    (promise_round_trip, with_codec(shorten_reply), "decoded"),
    (promise_labels, with_codec(label_prompt), "labels"),
    (promise_batching, with_logits(lambda net, f, b: (f, replace(b, mask=torch.ones_like(b.mask)))), "another loss"),
    (promise_generation, with_generate(lambda rows: [[*row, len(rows)] for row in rows]), "in a batch of"),
    (promise_sampling, with_generate(lambda rows: [[*row, len(rows)] for row in rows]), "in a batch than alone"),
    (promise_consistency, with_generate(lambda rows: [[t + 1 for t in row] for row in rows]), "most likely"),
    (promise_end, with_generate(lambda rows: [row[:-1] for row in rows]), "max_new_tokens=1: cut"),
    (promise_choices, without_choices, "the likeliest choice is"),
    (promise_learning, with_logits(lambda net, f, b: (f, b), factor=0.0), "the loss went"),
    (promise_image_dependence, with_logits(lambda net, f, b: (f * 0, b)), "changes the logits"),
    (promise_positions, with_codec(delay), "positions differ"),
    (promise_image_tokens, with_codec(drop_image_token), "features for"),
    (promise_shrinking, without_bound, "tokens where max_tokens is"),
    (promise_pixels, with_codec(scale_pixels), "is not transformers'"),
    (promise_control, with_codec(repeat_end, only=has_control_word), "control token"),
    (promise_pickling, with_large_codec, "bytes"),
    (
        promise_components,
        lambda model: parts.broken_copy(model, components={"llm": model.components["llm"]}),
        "lies in",
    ),
    (promise_checkpointing, with_build(disable_checkpointing), "does not checkpoint"),
    (
        promise_checkpointing,
        with_logits(lambda net, f, b: (detach_if_checkpointing(net, f), b)),
        "no gradient with checkpointing",
    ),
    (promise_empty_batch, without_empty_image, "left out of the graph"),
    (promise_quantization, with_build(quantization=None), "expected Linear4bit"),
]


@pytest.mark.parametrize(
    ("promise", "fault", "message"), BROKEN_MODELS, ids=[parts.name_of(row[0]) for row in BROKEN_MODELS]
)
def test_a_broken_model_is_noticed(
    promise: parts.Promise, fault: Any, message: str, cache: Path, harness: Harness
) -> None:
    models = (smoke_test_model(name, cache) for name in parts.families("model"))
    model = fault(next(m for m in models if parts.name_of(promise) not in getattr(m, "exempt", {})))
    with pytest.raises(AssertionError, match=message):
        promise(model, harness)


def test_every_promise_is_proven() -> None:
    assert parts.unproven_promises(globals(), BROKEN_MODELS) == []
