"""Compare a LLaVA with transformers' own model and processor, on real shapes and on small ones."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaTokenizer,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextProcessor,
    LlavaProcessor,
    SiglipVisionConfig,
)

from circuitvlm.collate.padded import Padded
from circuitvlm.core.record import Dialogue, Picture, Turn
from circuitvlm.core.tensor import IGNORE, IMAGE
from circuitvlm.model.llava import Llava, LlavaNext
from circuitvlm.model.llava.codec import load_image_processor
from circuitvlm.model.llava.spec import remove_unread_blocks
from circuitvlm.model.llava.tiles import TileLayout
from circuitvlm.model.llava.untrained import untrained_folder
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.compose import compose
from tests.contract import harness, parts

FAMILIES = (Llava, LlavaNext)
SHAPE = Llava.smoke_test_shape
TOWER = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
RESOLUTIONS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
"""The resolutions of LLaVA-1.6."""


def make_model(tmp_path: Path, kind: type[Llava] = Llava, **changes: Any) -> Llava:
    defaults = {
        "weights": None, "shape": kind.smoke_test_shape, "resize": "own", "attention": "sdpa",
        "gradient_checkpointing": False, "max_tokens": 512, "cache": str(tmp_path / "cache"),
    }  # fmt: skip
    return kind(**{**defaults, **changes})


def net_class(kind: type[Llava]) -> Any:
    (transformers_class,) = kind.net_classes.values()
    return transformers_class


def save_checkpoint(tmp_path: Path, kind: type[Llava] = Llava, **settings_file: Any) -> Path:
    """A checkpoint as plain transformers writes it: the weights under the hub's old names, all of the tower's."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(make_model(tmp_path, kind).folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings_file}))
    torch.manual_seed(1)
    net_class(kind)._from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


def load_model(tmp_path: Path, folder: Path, kind: type[Llava] = Llava, **changes: Any) -> Llava:
    return make_model(tmp_path, kind, shape=None, weights=str(folder), **changes)


def picture(tmp_path: Path, size: tuple[int, int] = (60, 40), name: str = "p.png") -> Picture:
    shades = np.random.default_rng(sum(size)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(shades).save(tmp_path / name)
    return Picture(tmp_path / name)


def ask(text: str, *pictures: Picture, reply: str = "R1") -> Dialogue:
    return Dialogue(id="d", task="t", prompt=(Turn(role="user", text=text, images=pictures),), reply=reply)


def conversations(tmp_path: Path) -> list[Dialogue]:
    first, two, three = (picture(tmp_path, size, f"{size[0]}.png") for size in ((60, 40), (30, 90), (57, 56)))
    turns = (
        Turn(role="system", text="Be brief."),
        Turn(role="user", text="And?", images=(first,)),
        Turn(role="assistant", text="A wire."),
        Turn(role="user", text="What else?", images=(two, three)),
    )
    again = Dialogue(id="again", task="t", prompt=turns, reply="Nothing, I think.")
    return [
        ask("Read.", first),
        ask("Which?", two, three, reply=""),
        ask("How much?", reply="4"),
        again,
    ]


# ---------------------------------------------------------------------------------------- as transformers has it: words


@pytest.fixture(params=["characters", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An untrained model's, with its own tokenizer, or with one of Llama's kind."""
    place = untrained_folder(tmp_path / "cache", SHAPE)
    if request.param == "llama":
        like_llama(place)
    return place


def like_llama(place: Path) -> None:
    """Give a folder a tokenizer of sentence pieces: it writes a space first, and spells in bytes what has no piece."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), "▁", *map(chr, range(33, 127))]
    words = LlamaTokenizer(vocab={piece: k for k, piece in enumerate(pieces)}, pad_token="<pad>")
    words.add_special_tokens({"extra_special_tokens": ["<image>"]})
    words.chat_template = AutoTokenizer.from_pretrained(place).chat_template
    words.save_pretrained(place)
    config = json.loads((place / "config.json").read_text())
    config["text_config"]["vocab_size"], config["image_token_index"] = len(words), len(words) - 1
    (place / "config.json").write_text(json.dumps(config))


def messages(dialogue: Dialogue) -> list[dict[str, Any]]:
    return [
        {"role": t.role, "content": [*({"type": "image"} for _ in t.images), {"type": "text", "text": t.text}]}
        for t in dialogue.prompt
    ]


def stock_inputs(model: Llava, dialogue: Dialogue, kind: Any = LlavaProcessor) -> dict[str, Tensor]:
    """What transformers' own processor makes of the prompt."""
    codec = model.codec()
    stock = kind(
        image_processor=codec.image_processor, tokenizer=codec.tokenizer, patch_size=14, num_additional_image_tokens=1,
        vision_feature_select_strategy="default", chat_template=codec.tokenizer.chat_template,
    )  # fmt: skip
    seen_pictures = [p.open() for turn in dialogue.prompt for p in turn.images]
    text = stock.apply_chat_template(messages(dialogue), add_generation_prompt=True)
    return dict(stock(images=seen_pictures or None, text=text, return_tensors="pt"))


def test_prompts_are_those_of_the_stock_processor(tmp_path: Path, folder: Path) -> None:
    for dialogue in conversations(tmp_path):
        sample = make_model(tmp_path).codec().encode(dialogue, reply=False)
        reference = stock_inputs(make_model(tmp_path), dialogue)
        assert sample.tokens_T.tolist() == reference["input_ids"][0].tolist()
        assert sample.vision.keys() == reference.keys() & {"pixel_values"}
        assert all(torch.equal(sample.vision[key], reference[key]) for key in sample.vision)


@pytest.mark.parametrize("reply", ["The netlist is", '{"menu":{"nm":"TEA","price":"60.000"}}', "\nled", "Ω </s> µ", ""])
def test_replies_come_back_as_they_were(tmp_path: Path, folder: Path, reply: str) -> None:
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Which?", picture(tmp_path), reply=reply), reply=True)
    reply_tokens = sample.labels_T[sample.labels_T != IGNORE].tolist()
    assert codec.tokenizer.convert_ids_to_tokens([reply_tokens[-1]]) == ["</s>"]
    assert (sample.tokens_T == codec.end).sum() == 1
    assert codec.decode(reply_tokens).replace("\N{ZERO WIDTH SPACE}", "") == reply


def test_a_dialogue_is_its_beginning_its_turns_its_images_its_reply_and_its_end(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Hi", picture(tmp_path), picture(tmp_path), reply="R1"), reply=True)
    words = codec.tokenizer.convert_ids_to_tokens(sample.tokens_T.tolist())
    images = [*["<image>"] * 16, "\n"] * 2
    assert words == ["<s>", *"USER: ", *images, *"Hi ", *"ASSISTANT:", "R", "1", "</s>"]
    assert sample.image_T.tolist() == [-1] * 7 + [0] * 16 + [-1] + [1] * 16 + [-1] * (1 + 3 + 10 + 3)
    assert codec.tokenizer.convert_ids_to_tokens(sample.labels_T[-3:].tolist()) == ["R", "1", "</s>"]
    assert (sample.labels_T[:-3] == IGNORE).all()


@given(parts=st.lists(st.sampled_from(["<s>", "</s>", "<image>", "<pad>", "<", "<im", "age>", "a", "\n"]), max_size=8))
@settings(max_examples=80, deadline=None)
def test_no_words_of_a_user_or_a_reply_become_control_tokens_or_images(parts: list[str], codec: Any) -> None:
    text = "".join(parts)
    plain, forged_sample = (codec.encode(replace(ask(t), reply=t), reply=True) for t in ("a", text))
    control = set(codec.tokenizer.all_special_ids) - {codec.tokenizer.unk_token_id}
    counts = [sum(int(token) in control for token in sample.tokens_T) for sample in (plain, forged_sample)]
    assert counts[0] == counts[1] == 2
    assert not (forged_sample.modality_T == IMAGE).any()


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_model(tmp_path_factory.mktemp("words")).codec()


def test_a_template_is_the_processors_wherever_it_lies_and_before_the_llms_own(tmp_path: Path) -> None:
    place = untrained_folder(tmp_path / "cache", SHAPE)
    words = AutoTokenizer.from_pretrained(place)
    right = words.chat_template
    words.chat_template = "{{ messages[0]['content'] }}"  # an LLM's, for text alone
    words.save_pretrained(place)
    (place / "chat_template.jinja").unlink(missing_ok=True)
    settings_file = json.loads((place / "tokenizer_config.json").read_text())
    (place / "tokenizer_config.json").write_text(json.dumps({**settings_file, "chat_template": words.chat_template}))
    for name in ("processor_config.json", "chat_template.json"):
        (place / name).write_text(json.dumps({"chat_template": right}))
        codec = make_model(tmp_path).codec()
        assert codec.tokenizer.chat_template == right
        assert len(codec.encode(ask("Hi", picture(tmp_path)), reply=False)) == 1 + 6 + 16 + 1 + 3 + 10
        codec.save(tmp_path / "saved")
        assert AutoTokenizer.from_pretrained(tmp_path / "saved").chat_template == right
        (place / name).unlink()
    settings_file.pop("chat_template", None)
    (place / "tokenizer_config.json").write_text(json.dumps(settings_file))
    with pytest.raises(ValueError, match="that has a chat template"):
        make_model(tmp_path).codec()


def test_a_template_with_an_end_of_turn_ends_a_reply_with_it_and_may_refuse(tmp_path: Path) -> None:
    place = untrained_folder(tmp_path / "cache", SHAPE)
    words = AutoTokenizer.from_pretrained(place)
    words.add_special_tokens({"extra_special_tokens": ["<image>", "<turn>"]})
    words.chat_template = (
        "{{ bos_token }}{% for m in messages %}"
        "{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for part in m['content'] %}{{ part['text'] if part['type'] == 'text' else '<image>' }}{% endfor %}"
        "{% if m['role'] == 'assistant' %}{% generation %}<turn>{% endgeneration %}{% endif %}{% endfor %}"
    )
    words.save_pretrained(place)
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Hi", reply="R"), reply=True)
    assert codec.tokenizer.convert_ids_to_tokens(sample.tokens_T.tolist()) == ["<s>", "H", "i", "R", "<turn>"]
    system = Dialogue(id="d", task="t", prompt=(Turn(role="system", text="Be brief."),), reply="R")
    with pytest.raises(ValueError, match=r"'d'.*no system"):
        codec.encode(system, reply=True)


def test_a_template_that_loses_an_image_is_refused(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    codec.tokenizer.chat_template = "{{ messages[0]['content'][-1]['text'] }}"
    with pytest.raises(ValueError, match=r"'d'.* writes 0 image tokens for 1 images"):
        codec.encode(ask("Read.", picture(tmp_path)), reply=True)


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_dialogue_that_is_too_long_is_refused_whole(tmp_path: Path, kind: type[Llava]) -> None:
    dialogue = ask("Read.", picture(tmp_path))
    sample = make_model(tmp_path, kind).codec().encode(dialogue, reply=True)
    size, token_count = len(sample), int((sample.modality_T == IMAGE).sum())
    assert len(make_model(tmp_path, kind, max_tokens=size).codec().encode(dialogue, reply=True)) == size
    with pytest.raises(ValueError, match=f"'d': .*got {size} tokens, {token_count} of them image tokens"):
        make_model(tmp_path, kind, max_tokens=size - 1).codec().encode(dialogue, reply=True)


# --------------------------------------------------------------------------------------- as transformers has it: logits


def stock_logits(net: Any, tokens: Tensor, vision: dict[str, Tensor], labels_T: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = net(input_ids=tokens[None], **vision).logits[0, :-1][labels_T[1:] != IGNORE]
    return result


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize(("layer", "blocks"), [(-2, 2), (-1, 3), (1, 1), ([-3, -2], 2)])
def test_logits_are_those_of_transformers_whole_model(
    tmp_path: Path, kind: type[Llava], layer: int | list[int], blocks: int
) -> None:
    checkpoint = save_checkpoint(tmp_path, kind, vision_feature_layer=layer)
    model, whole = load_model(tmp_path, checkpoint, kind), net_class(kind).from_pretrained(checkpoint).eval()
    net, codec = harness.build_net(model), model.codec()
    assert len(net.model.vision_tower.encoder.layers) == blocks
    samples = [codec.encode(dialogue, reply=True) for dialogue in conversations(tmp_path)]
    reference = []
    for sample, dialogue in zip(samples, conversations(tmp_path), strict=True):
        stock = stock_inputs(model, dialogue, LlavaNextProcessor if kind is LlavaNext else LlavaProcessor)
        vision = {key: stock[key] for key in ("pixel_values", "image_sizes") if key in stock}
        reference.append(stock_logits(whole, sample.tokens_T, vision, sample.labels_T))
        with torch.no_grad():
            result = harness.logits(model, net, harness.single_batch(sample))
        torch.testing.assert_close(result, reference[-1], rtol=0, atol=1e-5)
    for side in ("left", "right"):  # with one another, and beside one without an image
        batch = harness.padded_batch(samples, pad=codec.pad, side=side)
        with torch.no_grad():
            torch.testing.assert_close(harness.logits(model, net, batch), torch.cat(reference), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_replies_are_those_that_transformers_generates(tmp_path: Path, kind: type[Llava]) -> None:
    checkpoint = save_checkpoint(tmp_path, kind)
    (checkpoint / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "temperature": 0.6, "repetition_penalty": 1.5, "eos_token_id": [1, 50]})
    )
    model, whole = load_model(tmp_path, checkpoint, kind), net_class(kind).from_pretrained(checkpoint).eval()
    net, codec = harness.build_net(model), model.codec()
    assert net.generation_config.eos_token_id == [1, 50]
    image_dialogues = [dialogue for dialogue in conversations(tmp_path) if any(turn.images for turn in dialogue.prompt)]
    prompts = [codec.encode(dialogue, reply=False) for dialogue in image_dialogues]
    result = model.generate(net, Padded()(prompts, pad=codec.pad, side="left"), max_new_tokens=6, synced_gpus=False)
    for dialogue, row in zip(image_dialogues, result, strict=True):
        stock = stock_inputs(model, dialogue, LlavaNextProcessor if kind is LlavaNext else LlavaProcessor)
        reply_tokens = whole.generate(
            **stock, max_new_tokens=6, do_sample=False, temperature=None, repetition_penalty=1.0, eos_token_id=[1, 50],
            pad_token_id=0,
        )[0, stock["input_ids"].shape[1] :].tolist()  # fmt: skip
        ends = [k for k, token in enumerate(reply_tokens) if token in (1, 50)]
        assert row == (reply_tokens[: ends[0]] if ends else reply_tokens)


@pytest.mark.parametrize("kind", FAMILIES)
def test_what_is_saved_again_is_plain_transformers(tmp_path: Path, kind: type[Llava]) -> None:
    model = load_model(tmp_path, save_checkpoint(tmp_path, kind), kind)
    net, codec = harness.build_net(model), model.codec()
    net.save_pretrained(tmp_path / "again")
    whole, report = net_class(kind).from_pretrained(tmp_path / "again", output_loading_info=True)
    assert {name.rsplit(".", 2)[-2] for name in report["missing_keys"]} <= {"post_layernorm"}
    sample = codec.encode(ask("Read.", picture(tmp_path)), reply=True)
    vision = dict(sample.vision)
    if kind is LlavaNext:
        vision["pixel_values"] = vision["pixel_values"][None]
    with torch.no_grad():
        result = harness.logits(model, net, harness.single_batch(sample))
    reference = stock_logits(whole.eval(), sample.tokens_T, vision, sample.labels_T)
    torch.testing.assert_close(result, reference, rtol=0, atol=1e-5)


def test_the_class_token_is_kept_where_the_checkpoint_keeps_it(tmp_path: Path) -> None:
    checkpoint = save_checkpoint(tmp_path, vision_feature_select_strategy="full")
    model = load_model(tmp_path, checkpoint)
    sample = model.codec().encode(ask("Read.", picture(tmp_path)), reply=True)
    assert int((sample.modality_T == IMAGE).sum()) == 17
    whole = LlavaForConditionalGeneration.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        result = harness.logits(model, harness.build_net(model), harness.single_batch(sample))
    reference = stock_logits(whole, sample.tokens_T, dict(sample.vision), sample.labels_T)
    torch.testing.assert_close(result, reference, rtol=0, atol=1e-5)


# -------------------------------------------------------------------------------------------------- tower and projector


def test_the_real_shape_has_576_tokens_an_image_and_a_recipe_of_19_988_480_weights() -> None:
    cfg = OmegaConf.to_container(compose(["experiment=llava_netlist_qlora"], config_dir=parts.CONF), resolve=True)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**TOWER, image_size=336, patch_size=14),
        text_config=LlamaConfig(vocab_size=32064),
    )
    assert TileLayout.from_config(config).token_count((480, 640)) == 576
    with torch.device("meta"):
        net = LlavaForConditionalGeneration(config).requires_grad_(False)
    assert sum(p.numel() for p in net.model.multi_modal_projector.parameters()) == 1024 * 4096 + 4096 * 4096 + 2 * 4096
    remove_unread_blocks(net)
    model = instantiate(cfg["model"])
    assert [len(net.get_submodule(stack)) for stack in model.blocks] == [23, 32]
    with torch.device("meta"):
        adapted_net = instantiate(cfg["adapter"]).attach(net, model, instantiate(cfg["dropout"]))
    assert sum(p.numel() for p in adapted_net.parameters() if p.requires_grad) == 19_988_480
    settings_file = {key: cfg["adapter"][key] for key in ("rank", "alpha")} | {
        key: cfg[key] for key in ("max_epochs", "max_steps")
    }
    assert settings_file == {"rank": 8, "alpha": 32, "max_epochs": 5, "max_steps": None}
    assert cfg["optimizer"]["lr"] == 5e-4
    assert cfg["quantization"]["bnb_4bit_quant_type"] == "nf4"


@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
@settings(max_examples=300, deadline=None)
def test_a_next_image_has_as_many_tokens_as_the_stock_processor_counts(height: int, width: int, stock: Any) -> None:
    tower = CLIPVisionConfig(**TOWER, image_size=336, patch_size=14)
    layout = TileLayout(
        side=tower.image_size,
        patch=tower.patch_size,
        keeps_class_token=False,
        resolutions=tuple(map(tuple, RESOLUTIONS)),
    )
    assert layout.token_count((height, width)) == stock._get_number_of_features(height, width, 336, 336) - 1
    assert layout.token_count((height, width)) <= 2928


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Any:
    codec = make_model(tmp_path_factory.mktemp("next"), LlavaNext).codec()
    codec.image_processor.image_grid_pinpoints = RESOLUTIONS
    return LlavaNextProcessor(
        image_processor=codec.image_processor, tokenizer=codec.tokenizer, patch_size=14, num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
    )  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (200, 3), (3, 200), (113, 112), (56, 112), (999, 500)])
def test_a_next_image_has_as_many_tokens_as_features(tmp_path: Path, size: tuple[int, int]) -> None:
    model = make_model(tmp_path, LlavaNext)
    sample = model.codec().encode(ask("Read.", picture(tmp_path, size), picture(tmp_path, name="q.png")), reply=True)
    with torch.no_grad():
        assert len(model.image_features(harness.build_net(model), harness.single_batch(sample))) == int(
            (sample.modality_T == IMAGE).sum()
        )


@pytest.mark.parametrize("resize", ["own", "pad", "square"])
@pytest.mark.parametrize("size", [(1, 1), (200, 1), (3, 200), (56, 57), (5000, 999), (3000, 3000)])
def test_an_image_of_any_size_has_as_many_tokens_as_features(
    tmp_path: Path, seer: nn.Module, size: tuple[int, int], resize: Any
) -> None:
    like_the_hubs(untrained_folder(tmp_path / "cache", SHAPE))
    model = make_model(tmp_path, resize=resize)
    Image.new("L", size, 128).save(tmp_path / "p.png")
    sample = model.codec().encode(ask("Read.", Picture(tmp_path / "p.png")), reply=True)
    with torch.no_grad():
        features = model.image_features(seer, harness.single_batch(sample))
    assert len(features) == int((sample.modality_T == IMAGE).sum()) == 16


@pytest.fixture(scope="module")
def seer(tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    return harness.build_net(make_model(tmp_path_factory.mktemp("seer")))


def test_flash_attention_falls_back_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    net = make_model(tmp_path, attention="flash_attention_2").build(dtype=torch.float32, quantization=None)
    assert net.config._attn_implementation == net.model.vision_tower.config._attn_implementation == "sdpa"
    assert "using sdpa instead" in caplog.text


def test_the_same_seed_gives_the_same_weights_frozen_and_in_the_wanted_type(tmp_path: Path) -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(make_model(tmp_path).build(dtype=torch.bfloat16, quantization=None))
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))
    assert {(p.dtype, p.requires_grad) for p in nets[0].parameters()} == {(torch.bfloat16, False)}


# ----------------------------------------------------------------------------------------------------------- the images


def like_the_hubs(place: Path) -> TileLayout:
    """Let the folder's processor scale the short side and cut out the middle, as the hub's LLaVA-1.5 says."""
    settings_file = json.loads((place / "preprocessor_config.json").read_text())
    clips = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}, "do_center_crop": True}
    mean = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.5, 0.5]}
    (place / "preprocessor_config.json").write_text(json.dumps({**settings_file, **clips, **mean}))
    return TileLayout.from_config(AutoConfig.from_pretrained(place))


def test_pad_and_square_show_the_ends_of_a_receipt_and_own_cuts_them_off(tmp_path: Path) -> None:
    place = untrained_folder(tmp_path / "cache", SHAPE)
    layout = like_the_hubs(place)
    strip = np.full((200, 20, 3), 255, dtype=np.uint8)
    strip[:20] = 0  # ink at the upper end alone
    image = Image.fromarray(strip)
    result = {}
    for how in ("own", "pad", "square"):
        result[how] = load_image_processor(place, resize=how, layout=layout)(images=[image], return_tensors="pt")[
            "pixel_values"
        ][0]
        assert result[how].shape == (3, 56, 56)
    assert float(result["own"].min()) == pytest.approx((1 - 0.5) / 0.5), "paper alone"
    mean, ink = torch.tensor([0.5, 0.4, 0.3])[:, None, None], torch.tensor([-1.0, -0.8, -0.6])[:, None, None]
    assert float((result["square"][:, :3] - ink).abs().max()) < 0.02, "ink in the first rows, from side to side"
    paper = Image.new("RGB", (200, 200), tuple(int(255 * c) for c in mean.flatten().tolist()))
    paper.paste(image, (90, 0))
    small = torch.tensor(np.asarray(paper.resize((56, 56), Image.Resampling.BICUBIC), dtype=np.float32) / 255)
    torch.testing.assert_close(result["pad"], (small.permute(2, 0, 1) - mean) / 0.5, atol=1e-5, rtol=0)


def test_a_padding_processor_is_saved_as_one(tmp_path: Path) -> None:
    like_the_hubs(untrained_folder(tmp_path / "cache", SHAPE))
    codec = make_model(tmp_path, resize="pad").codec()
    sample = codec.encode(ask("Read.", picture(tmp_path, (90, 20))), reply=True)
    codec.save(tmp_path / "saved")
    again = load_image_processor(tmp_path / "saved", resize="own", layout=codec.layout)
    image = picture(tmp_path, (90, 20)).open()
    assert torch.equal(again(images=[image], return_tensors="pt")["pixel_values"], sample.vision["pixel_values"])


def test_a_processor_of_another_size_than_its_tower_is_refused(tmp_path: Path) -> None:
    place = untrained_folder(tmp_path / "cache", SHAPE)
    settings_file = json.loads((place / "preprocessor_config.json").read_text())
    (place / "preprocessor_config.json").write_text(json.dumps({**settings_file, "size": {"height": 28, "width": 28}}))
    with pytest.raises(ValueError, match=r"expected pictures of 56 x 56 pixels, .* got 28 x 28"):
        make_model(tmp_path).codec()
    assert make_model(tmp_path, resize="pad").codec().encode(ask("Read.", picture(tmp_path)), reply=True).vision
    with pytest.raises(ValueError, match="expected own"):
        make_model(tmp_path, LlavaNext, resize="pad").codec()
    place = untrained_folder(tmp_path / "cache", LlavaNext.smoke_test_shape)
    settings_file = json.loads((place / "preprocessor_config.json").read_text())
    (place / "preprocessor_config.json").write_text(
        json.dumps({**settings_file, "size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}})
    )
    with pytest.raises(
        ValueError, match=r"got 28 x 28 from its preprocessor_config\.json; the file is another model's"
    ):
        make_model(tmp_path, LlavaNext).codec()


def test_long_pictures_are_refused_or_shrunk_before_they_become_squares(tmp_path: Path) -> None:
    codec = make_model(tmp_path, resize="pad").codec()
    with pytest.raises(ValueError, match=r"'d'.*1000 x 2 pixels"):
        codec.encode(ask("Read.", picture(tmp_path, (1000, 2))), reply=True)
    Image.new("RGB", (50_000, 300), "white").save(tmp_path / "long.png")  # a square of it would hold 7.5 GB
    pixels = codec.encode(ask("Read.", Picture(tmp_path / "long.png")), reply=True).vision["pixel_values"]
    assert pixels.shape == (1, 3, 56, 56)


# ---------------------------------------------------------------------------------------------------------- the folders


def test_missing_weights_are_told_in_two_lines(tmp_path: Path) -> None:
    for weights in ("/no/such/folder", "nobody-at-all/no-such-model", str(tmp_path)):
        with pytest.raises(FileNotFoundError) as error_info:
            make_model(tmp_path, shape=None, weights=weights).codec()
        lines = str(error_info.value).splitlines()
        assert len(lines) == 2
        assert weights in lines[0]
        assert "model.weights=" in lines[1]


def test_other_families_folders_are_refused(tmp_path: Path) -> None:
    place = untrained_folder(tmp_path / "cache", SHAPE)
    with pytest.raises(ValueError, match=r"type 'llava_next', as llava-hf/llava-v1\.6.*got .* of the type 'llava'"):
        load_model(tmp_path, place, LlavaNext).codec()
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "model_type": "llava_llama"}))
    with pytest.raises(ValueError, match=r"type 'llava', .* of the type 'llava_llama'; .* Hugging Face form"):
        load_model(tmp_path, place).codec()
    (place / "config.json").write_text(json.dumps({**config, "vision_config": SiglipVisionConfig().to_dict()}))
    with pytest.raises(ValueError, match=r"expected a CLIP vision tower, .*'siglip_vision_model'"):
        load_model(tmp_path, place).codec()
    (place / "config.json").write_text(json.dumps({**config, "image_token_index": 32000}))
    with pytest.raises(ValueError, match="no image token 32000"):
        load_model(tmp_path, place).codec()


def test_one_of_weights_and_shape_is_wanted(tmp_path: Path) -> None:
    for wrong in ({"weights": "a"}, {"shape": None}):
        with pytest.raises(ValueError, match="either weights or shape"):
            make_model(tmp_path, **wrong)
