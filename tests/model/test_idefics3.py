"""Compare an Idefics3 with transformers' own model and processor, for every way to cut a picture."""

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
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import (
    AutoConfig,
    Idefics3Config,
    Idefics3Model,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)

from circuitvlm.core.record import Dialogue, Picture, Turn
from circuitvlm.core.tensor import IGNORE, IMAGE
from circuitvlm.model.idefics3 import Idefics3
from circuitvlm.model.idefics3.codec import load_image_processor
from circuitvlm.model.idefics3.untrained import SPECIAL_TOKENS, untrained_folder
from tests.contract import harness

HUBS = (
    "{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""The chat template of the hub's folders, behind the token that begins a text."""

NET_CLASSES = Idefics3.net_classes

SHAPE = {**Idefics3.smoke_test_shape, "longest_edge": 168}
"""Up to 3 x 3 tiles of 56 pixels and 4 tokens."""

SIZES = ((60, 40), (30, 90), (56, 56), (1, 1), (190, 1), (3, 200), (168, 169), (900, 500))
"""Width and height: landscape, portrait, one tile, tiny, strips, just beyond a tile, to be made smaller."""


def make_model(tmp_path: Path, **changes: Any) -> Idefics3:
    defaults = {
        "weights": None, "shape": SHAPE, "split": None, "longest_edge": None, "attention": "sdpa",
        "gradient_checkpointing": False, "max_tokens": 2048, "cache": str(tmp_path / "cache"),
    }  # fmt: skip
    return Idefics3(**{**defaults, **changes})


def save_checkpoint(tmp_path: Path, kind: str) -> Idefics3:
    """A checkpoint as plain transformers writes it."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(make_model(tmp_path).folder, folder)
    restate(folder / "config.json", model_type=kind, architectures=[NET_CLASSES[kind].__name__])
    if kind == "smolvlm":
        restate(folder / "preprocessor_config.json", image_processor_type="SmolVLMImageProcessor")
    torch.manual_seed(1)
    NET_CLASSES[kind]._from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    return make_model(tmp_path, shape=None, weights=str(folder))


def restate(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def picture(tmp_path: Path, size: tuple[int, int] = (60, 40)) -> Picture:
    shades = np.random.default_rng(sum(size)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = tmp_path / f"{size[0]}x{size[1]}.png"
    Image.fromarray(shades).save(path)
    return Picture(path)


def ask(text: str, *pictures: Picture, reply: str = "R1") -> Dialogue:
    return Dialogue(id="d", task="t", prompt=(Turn(role="user", text=text, images=pictures),), reply=reply)


def conversations(tmp_path: Path) -> list[Dialogue]:
    first, two, three = (picture(tmp_path, size) for size in SIZES[:3])
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


@pytest.fixture(params=["characters", "smollm", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An untrained model's, with its own tokenizer, or with the hub's template and one like SmolLM's or Llama 3's."""
    place = untrained_folder(tmp_path / "cache", SHAPE)
    if request.param != "characters":
        like_the_hubs(place, has_tile_tokens=request.param == "smollm")
    return place


def like_the_hubs(place: Path, *, has_tile_tokens: bool) -> None:
    """Give a folder a tokenizer of bytes with a few pairs of them.

    has_tile_tokens: a token of its own states the place of a tile, as in the small SmolVLMs. Otherwise a text states
    it, and a text begins with a bos_token if special tokens are added, as in Idefics3-8B.
    """
    pairs = [("\u0120", letter) for letter in "RTNAB4"] + [("\u010a", "\u010a")]
    begin = "<|im_start|>" if has_tile_tokens else "<|begin_of_text|>"
    tiles = [f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4)]
    special = [begin, *SPECIAL_TOKENS[1:-1], *(["<global-img>", *tiles] if has_tile_tokens else [])]
    pieces = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, pairs)]
    words = Tokenizer(models.BPE(vocab={piece: k for k, piece in enumerate(pieces)}, merges=pairs))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    if not has_tile_tokens:
        words.post_processor = TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, 0)])
    PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=begin, eos_token="<end_of_utterance>", pad_token="<pad>",
        extra_special_tokens=special[3:], chat_template=begin + HUBS, clean_up_tokenization_spaces=False,
    ).save_pretrained(place)  # fmt: skip
    config = json.loads((place / "config.json").read_text())
    config["text_config"]["vocab_size"], config["image_token_id"] = len(pieces), special.index("<image>")
    (place / "config.json").write_text(json.dumps(config))
    restate(place / "preprocessor_config.json", image_mean=[0.5] * 3, image_std=[0.5] * 3)


def stock_inputs(place: Path, dialogue: Dialogue, *, reply: bool = False, **changes: Any) -> dict[str, Tensor]:
    """What transformers' own processor makes of the prompt or, with `reply`, of the whole dialogue."""
    stock = Idefics3Processor.from_pretrained(place, **changes)
    turns: list[dict[str, Any]] = [
        {
            "role": turn.role,
            "content": [
                *({"type": "image", "image": picture.open()} for picture in turn.images),
                {"type": "text", "text": turn.text},
            ],
        }
        for turn in dialogue.prompt
    ]
    if reply:
        turns.append({"role": "assistant", "content": [{"type": "text", "text": dialogue.reply}]})
    return dict(
        stock.apply_chat_template(
            turns, add_generation_prompt=not reply, tokenize=True, return_dict=True, return_tensors="pt"
        )
    )


def stock(split: bool | None, longest_edge: int | None) -> dict[str, Any]:
    """Our settings as transformers' own processor is told them."""
    size = {} if longest_edge is None else {"size": {"longest_edge": longest_edge}}
    return {**size, **({} if split is None else {"do_image_splitting": split})}


@pytest.mark.parametrize(("split", "edge"), [(None, None), (False, None), (None, 100), (True, 9)])
def test_prompts_are_those_of_the_stock_processor(
    tmp_path: Path, folder: Path, split: bool | None, edge: int | None
) -> None:
    codec = make_model(tmp_path, split=split, longest_edge=edge).codec()
    for dialogue in [*conversations(tmp_path), *(ask("Read.", picture(tmp_path, size)) for size in SIZES)]:
        sample, reference = codec.encode(dialogue, reply=False), stock_inputs(folder, dialogue, **stock(split, edge))
        assert sample.tokens_T.tolist() == reference["input_ids"][0].tolist()
        if sample.vision:
            assert torch.equal(sample.vision["pixel_values"], reference["pixel_values"][0])
            assert reference["pixel_attention_mask"].all(), "tiles with margins"
        template = "".join(codec.tokenizer.convert_ids_to_tokens(codec.fold_images(sample)))
        assert template.count("<image>") == sum(len(turn.images) for turn in dialogue.prompt)
        assert "<fake_token_around_image>" not in template
        token_count = len(sample.vision["pixel_values"]) * codec.tokens_per_tile if sample.vision else 0
        assert int((sample.modality_T == IMAGE).sum()) == token_count


@given(width=st.integers(1, 400), height=st.integers(1, 400), split=st.booleans(), edge=st.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_a_picture_of_any_size_is_cut_as_the_stock_processor_cuts_it(
    width: int, height: int, split: bool, edge: int, place: Path
) -> None:
    codec = make_model(place, split=split, longest_edge=edge).codec()
    Image.new("RGB", (width, height), "gray").save(place / "any.png")
    dialogue = ask("Read.", Picture(place / "any.png"))
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(ValueError, match="200 times"):
            codec.encode(dialogue, reply=False)
        return
    reference = stock_inputs(make_model(place).folder, dialogue, **stock(split, edge))
    sample = codec.encode(dialogue, reply=False)
    assert sample.tokens_T.tolist() == reference["input_ids"][0].tolist()
    assert torch.equal(sample.vision["pixel_values"], reference["pixel_values"][0])
    assert int((sample.modality_T == IMAGE).sum()) == len(sample.vision["pixel_values"]) * codec.tokens_per_tile


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idefics3")


def test_a_known_reply_stands_where_the_stock_template_writes_it(tmp_path: Path, folder: Path) -> None:
    codec = make_model(tmp_path).codec()
    for dialogue in conversations(tmp_path):
        sample, reference = codec.encode(dialogue, reply=True), stock_inputs(folder, dialogue, reply=True)
        assert [*sample.tokens_T.tolist(), *codec.tokenizer("\n", add_special_tokens=False)["input_ids"]] == (
            reference["input_ids"][0].tolist()
        )


@pytest.mark.parametrize("reply", ["The netlist is", '{"menu":{"nm":"TEA"}}', "\nled", " R", "Ω </s> µ", ""])
def test_replies_come_back_as_they_were(tmp_path: Path, folder: Path, reply: str) -> None:
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Which?", picture(tmp_path), reply=reply), reply=True)
    reply_tokens = sample.labels_T[sample.labels_T != IGNORE].tolist()
    assert codec.tokenizer.convert_ids_to_tokens([reply_tokens[-1]]) == ["<end_of_utterance>"]
    assert codec.decode(reply_tokens) == reply
    assert codec.decode(codec.tokenizer(reply, add_special_tokens=False)["input_ids"]).strip() == reply.strip()


def test_a_dialogue_is_its_turns_its_tiles_its_reply_and_its_end(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Hi", picture(tmp_path, (30, 20)), reply="R1"), reply=True)
    words = codec.tokenizer.convert_ids_to_tokens(sample.tokens_T.tolist())
    tile = ["<image>"] * 4
    lines = [
        word
        for row in (1, 2)
        for column in (1, 2, 3)
        for word in ("<fake_token_around_image>", f"<row_{row}_col_{column}>", *tile, *("\n" if column == 3 else ""))
    ]
    whole = ["\n", "<fake_token_around_image>", "<global-img>", *tile, "<fake_token_around_image>"]
    end = ["<end_of_utterance>", "\n"]
    assert words == ["<|im_start|>", *"User:", *lines, *whole, *"Hi", *end, *"Assistant:", *"R1", end[0]]
    assert sample.image_T.tolist() == [0 if word == "<image>" else -1 for word in words]
    assert codec.tokenizer.convert_ids_to_tokens(sample.labels_T[-3:].tolist()) == ["R", "1", end[0]]
    assert (sample.labels_T[:-3] == IGNORE).all()


def test_each_image_token_says_which_picture_it_belongs_to(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Hi", *(picture(tmp_path, size) for size in SIZES[:3])), reply=False)
    tiles = [int((sample.image_T == k).sum()) // 4 for k in range(3)]
    assert tiles == [3 * 2 + 1, 1 * 3 + 1, 3 * 3 + 1]
    assert sample.image_T[sample.image_T >= 0].tolist() == [k for k in range(3) for _ in range(4 * tiles[k])]


FORGED_WORDS = [*SPECIAL_TOKENS, "<row_1_col_1>", "<", "<im", "age>", "a", "\n"]


@given(parts=st.lists(st.sampled_from(FORGED_WORDS), max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_words_of_a_user_or_a_reply_become_control_tokens_or_images(parts: list[str], place: Path) -> None:
    codec = make_model(place).codec()
    text = "".join(parts)
    sheet = picture(place, (1, 1))
    plain, forged_sample = (codec.encode(replace(ask(t, sheet), reply=t), reply=True) for t in ("a", text))
    control = set(codec.tokenizer.all_special_ids) - {codec.tokenizer.unk_token_id}
    counts = [sum(int(token) in control for token in sample.tokens_T) for sample in (plain, forged_sample)]
    assert counts[0] == counts[1]
    assert int((forged_sample.modality_T == IMAGE).sum()) == 4 * len(forged_sample.vision["pixel_values"])


def test_a_dialogue_that_is_too_long_is_refused_whole_and_a_lower_edge_makes_it_fit(tmp_path: Path) -> None:
    dialogue = ask("Read.", picture(tmp_path))
    sample = make_model(tmp_path).codec().encode(dialogue, reply=True)
    size, token_count = len(sample), int((sample.modality_T == IMAGE).sum())
    assert len(make_model(tmp_path, max_tokens=size).codec().encode(dialogue, reply=True)) == size
    with pytest.raises(
        ValueError, match=rf"'d': .*got {size} tokens, {token_count} of them image tokens.*lower model\.longest_edge"
    ):
        make_model(tmp_path, max_tokens=size - 1).codec().encode(dialogue, reply=True)
    for smaller in ({"longest_edge": 112}, {"split": False}):
        assert len(make_model(tmp_path, max_tokens=size - 1, **smaller).codec().encode(dialogue, reply=True)) < size


def test_a_template_that_loses_an_image_is_refused(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    codec.tokenizer.chat_template = "{{ messages[0]['content'][-1]['text'] }}"
    with pytest.raises(ValueError, match=r"'d'.* writes 0 image tokens for 1 images"):
        codec.encode(ask("Read.", picture(tmp_path)), reply=True)


def test_what_is_saved_beside_an_adapter_sees_the_same(tmp_path: Path) -> None:
    codec, sheet = make_model(tmp_path, longest_edge=100).codec(), picture(tmp_path)
    sample = codec.encode(ask("Read.", sheet), reply=True)
    codec.save(tmp_path / "saved")
    again = load_image_processor(tmp_path / "saved", split=None, longest_edge=None, side=56)
    result = again(images=[sheet.open()], return_tensors="pt")["pixel_values"][0]
    assert torch.equal(result, sample.vision["pixel_values"])


# --------------------------------------------------------------------------------------- as transformers has it: logits


@pytest.mark.parametrize("kind", NET_CLASSES)
def test_logits_and_replies_are_those_of_transformers_whole_model(tmp_path: Path, kind: str) -> None:
    model = save_checkpoint(tmp_path, kind)
    restate(model.folder / "generation_config.json", do_sample=True, repetition_penalty=1.5, eos_token_id=[1, 50])
    net, codec, whole = harness.build_net(model), model.codec(), NET_CLASSES[kind].from_pretrained(model.folder).eval()
    assert type(net) is type(whole)
    assert net.generation_config.eos_token_id == [1, 50]
    samples = [codec.encode(dialogue, reply=True) for dialogue in conversations(tmp_path)]
    reference = []
    for sample, dialogue in zip(samples, conversations(tmp_path), strict=True):
        inputs = stock_inputs(model.folder, dialogue)
        vision = {key: inputs[key] for key in ("pixel_values", "pixel_attention_mask") if key in inputs}
        with torch.no_grad():
            logits = whole(input_ids=sample.tokens_T[None], **vision).logits
            reference.append(logits[0, :-1][sample.labels_T[1:] != IGNORE])
            result = harness.logits(model, net, harness.single_batch(sample))
            plainly = {"do_sample": False, "repetition_penalty": 1.0, "eos_token_id": [1, 50], "pad_token_id": 0}
            row_T = whole.generate(**inputs, max_new_tokens=5, **plainly)[0]
            reply_tokens = row_T[inputs["input_ids"].shape[1] :].tolist()
        torch.testing.assert_close(result, reference[-1], rtol=0, atol=1e-5)
        prompt = harness.single_batch(codec.encode(dialogue, reply=False))
        (row,) = model.generate(net, prompt, max_new_tokens=5, synced_gpus=False)
        ends = [k for k, token in enumerate(reply_tokens) if token in (1, 50)]
        assert row == (reply_tokens[: ends[0]] if ends else reply_tokens)
    for side in ("left", "right"):  # with one another, of other numbers of tiles, and beside one without an image
        batch = harness.padded_batch(samples, pad=codec.pad, side=side)
        with torch.no_grad():
            torch.testing.assert_close(harness.logits(model, net, batch), torch.cat(reference), rtol=0, atol=1e-5)


def test_an_empty_page_has_as_many_features_as_tokens(tmp_path: Path) -> None:
    """Its tiles are 0 throughout, as the stock model's padding is, since an untrained model's paper is 0."""
    model = make_model(tmp_path)
    Image.new("RGB", (60, 40), "white").save(tmp_path / "white.png")
    sample = model.codec().encode(ask("Read.", Picture(tmp_path / "white.png")), reply=True)
    assert not sample.vision["pixel_values"].any()
    with torch.no_grad():
        features = model.image_features(harness.build_net(model), harness.single_batch(sample))
    assert len(features) == int((sample.modality_T == IMAGE).sum()) == 28


def test_what_is_saved_again_is_plain_transformers(tmp_path: Path) -> None:
    model = save_checkpoint(tmp_path, "idefics3")
    harness.build_net(model).save_pretrained(tmp_path / "again")
    again, report = NET_CLASSES["idefics3"].from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    weights = NET_CLASSES["idefics3"].from_pretrained(model.folder).state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize(("side", "patch", "scale", "places"), [(512, 16, 4, 64), (384, 14, 3, 81), (364, 14, 2, 169)])
def test_the_real_shapes_have_64_81_and_169_tokens_a_tile(
    tmp_path: Path, side: int, patch: int, scale: int, places: int
) -> None:
    """SmolVLM 256M and 500M, 2B, and Idefics3 8B."""
    shape = {**SHAPE, "image": side, "patch": patch, "scale": scale, "longest_edge": 4 * side}
    model = make_model(tmp_path, shape=shape)
    config = AutoConfig.from_pretrained(model.folder)
    assert isinstance(config, Idefics3Config)
    with torch.device("meta"):
        assert Idefics3Model(config).image_seq_len == places
    codec = model.codec()
    assert codec.tokens_per_tile == places
    assert codec.image_processor.get_number_of_image_patches(4 * side, 3 * side) == (13, 4, 3)


def test_flash_attention_falls_back_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    net = make_model(tmp_path, attention="flash_attention_2").build(dtype=torch.bfloat16, quantization=None)
    assert net.config._attn_implementation == net.model.vision_model.config._attn_implementation == "sdpa"
    assert "using sdpa instead" in caplog.text
    assert {(p.dtype, p.requires_grad) for p in net.parameters()} == {(torch.bfloat16, False)}


# ---------------------------------------------------------------------------------------------------------- the folders


def test_a_smoke_test_model_is_cut_as_its_own_small_folder_says(tmp_path: Path) -> None:
    small = make_model(
        tmp_path, weights="a/b", shape=None, split=False, longest_edge=1024, max_tokens=77
    ).smoke_test_model()
    assert (small.weights, small.shape, small.longest_edge) == (None, Idefics3.smoke_test_shape, None)
    assert (small.split, small.max_tokens) == (False, 77)


def test_missing_weights_are_told_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error_info:
        make_model(tmp_path, shape=None, weights="/no/such/folder").codec()
    lines = str(error_info.value).splitlines()
    assert len(lines) == 2
    assert "/no/such/folder" in lines[0]
    assert "SmolVLM-256M-Instruct" in lines[1]


def test_other_folders_and_settings_are_refused(tmp_path: Path) -> None:
    place = untrained_folder(tmp_path / "cache", SHAPE)
    with pytest.raises(ValueError, match=r"longest_edge: expected 1 or more pixels, .*got 0"):
        make_model(tmp_path, longest_edge=0).codec()
    for wrong in ({"weights": "a"}, {"shape": None}):
        with pytest.raises(ValueError, match="either weights or shape"):
            make_model(tmp_path, **wrong)
    restate(place / "preprocessor_config.json", max_image_size={"longest_edge": 28})
    with pytest.raises(ValueError, match=r"expected tiles of 56 x 56 pixels, .* got 28 x 28"):
        make_model(tmp_path).codec()
    restate(place / "config.json", image_token_id=7)
    with pytest.raises(ValueError, match=r"<image> as token 7 of config\.json, got"):
        make_model(tmp_path).codec()
    restate(place / "config.json", model_type="llava")
    with pytest.raises(
        ValueError, match=r"of the type 'idefics3' or 'smolvlm', as HuggingFaceTB.* of the type 'llava'"
    ):
        make_model(tmp_path, shape=None, weights=str(place)).codec()
