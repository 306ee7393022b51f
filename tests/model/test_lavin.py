"""Test LaVIN against its paper and its checkpoints, on real shapes and on small ones."""

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
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import (
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from circuitvlm.collate.padded import Padded
from circuitvlm.core.record import Dialogue, Picture, Turn
from circuitvlm.core.tensor import IGNORE, IMAGE
from circuitvlm.model.lavin import Lavin
from circuitvlm.model.lavin.network import VisualPrefix, add_tower, token_depths
from circuitvlm.model.lavin.spec import load_image_processor
from circuitvlm.model.lavin.untrained import untrained_folder
from tests.contract import harness, parts

SHAPE = Lavin.smoke_test_shape

LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}<|start|>{{ message['role'] }}<|stop|>\n\n"
    "{{ message['content'] | trim }}<|turn|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n"
    "{% endif %}"
)
"""The layout of Llama 3's template, with shorter words."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return untrained_folder(tmp_path / "cache", SHAPE)


def make_model(tmp_path: Path, **changes: Any) -> Lavin:
    defaults: dict[str, Any] = {
        "weights": None, "vision": None, "shape": SHAPE, "prefix_tokens": 6, "prefix_width": 32,
        "resize": "own", "chat_template": True, "attention": "sdpa", "gradient_checkpointing": False, "max_tokens": 512,
        "cache": str(tmp_path / "cache"),
    }  # fmt: skip
    return Lavin(**{**defaults, **changes})


def load_model(tmp_path: Path, llm: Path, vision: Path, **changes: Any) -> Lavin:
    return make_model(tmp_path, shape=None, weights=str(llm), vision=str(vision), **changes)


def save_checkpoints(tmp_path: Path) -> tuple[Path, Path]:
    """An LLM with weights in the form of plain transformers, and a tower."""
    start = untrained_folder(tmp_path / "cache", SHAPE)
    net = harness.build_net(make_model(tmp_path))
    llm, tower = LlamaForCausalLM(net.config), CLIPVisionModel(net.vision.config)
    llm.save_pretrained(tmp_path / "llm")
    AutoTokenizer.from_pretrained(start).save_pretrained(tmp_path / "llm")
    tower.save_pretrained(tmp_path / "tower")
    shutil.copy(start / "vision" / "preprocessor_config.json", tmp_path / "tower")
    return tmp_path / "llm", tmp_path / "tower"


def chatty(folder: Path, *, template: str = LLAMA3) -> None:
    """Give a folder's tokenizer a chat template with control tokens of its own, which the LLM has places for."""
    words = AutoTokenizer.from_pretrained(folder)
    words.add_special_tokens({"extra_special_tokens": ["<|start|>", "<|stop|>", "<|turn|>"]})
    words.chat_template = template
    words.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(words)}))


def picture(tmp_path: Path, size: tuple[int, int] = (60, 40), name: str = "p.png") -> Picture:
    Image.new("RGB", size, "gray").save(tmp_path / name)
    return Picture(tmp_path / name)


def ask(text: str, *pictures: Picture, reply: str = "R1") -> Dialogue:
    return Dialogue(id="d", task="t", prompt=(Turn(role="user", text=text, images=pictures),), reply=reply)


# ----------------------------------------------------------------------------------------------------------- the prefix


@pytest.mark.parametrize(("size", "count"), [("7b", 659_584), ("13b", 791_680)])
def test_the_prefix_has_as_many_weights_as_lavins_on_the_real_shapes(size: str, count: int) -> None:
    model = parts.build("model", f"lavin_{size}")
    shape = {"7b": {}, "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40}}[size]
    tower = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    with torch.device("meta"):
        llm, seer = LlamaForCausalLM(LlamaConfig(**shape)), CLIPVisionModel(CLIPVisionConfig(**tower, patch_size=14))
        add_tower(llm, seer, tokens=model.prefix_tokens, width=model.prefix_width)
    (place,) = model.components["projector"]
    assert sum(p.numel() for p in llm.get_submodule(place).parameters()) == count
    assert [len(llm.get_submodule(stack)) for stack in model.blocks] == [24, llm.config.num_hidden_layers]


def test_the_prefix_is_two_linears_with_a_silu_between() -> None:
    torch.manual_seed(0)
    prefix = VisualPrefix(tower_width=5, width=3, llm_width=4).double()
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    z = x @ prefix.down.weight.T + prefix.down.bias
    reference = (z / (1 + torch.exp(-z))) @ prefix.up.weight.T + prefix.up.bias
    torch.testing.assert_close(prefix(x), reference, rtol=1e-12, atol=1e-12)


def test_six_tokens_are_taken_after_every_fourth_of_24_blocks() -> None:
    assert token_depths(24, tokens=6) == [4, 8, 12, 16, 20, 24]
    assert token_depths(12, tokens=6) == [2, 4, 6, 8, 10, 12]
    for blocks, tokens in ((5, 6), (6, 0)):
        with pytest.raises(ValueError, match="prefix_tokens"):
            token_depths(blocks, tokens=tokens)


@given(blocks=st.integers(1, 60), data=st.data())
@settings(max_examples=60, deadline=None)
def test_depths_rise_and_end_with_the_last_block(blocks: int, data: st.DataObject) -> None:
    result = token_depths(blocks, tokens=data.draw(st.integers(1, blocks)))
    assert result == sorted(set(result))
    assert result[0] >= 1
    assert result[-1] == blocks


@pytest.mark.parametrize("tokens", [6, 3])
def test_features_are_the_towers_own_class_tokens_before_its_last_norm(tmp_path: Path, tokens: int) -> None:
    llm, tower = save_checkpoints(tmp_path)
    model = load_model(tmp_path, llm, tower, prefix_tokens=tokens)
    net = harness.build_net(model)
    pictures = [picture(tmp_path, name="a.png"), picture(tmp_path, (9, 30), name="b.png")]
    batch = harness.single_batch(model.codec().encode(ask("Which?", *pictures), reply=True))
    plain = CLIPVisionModel.from_pretrained(tower)
    with torch.no_grad():
        states = plain(pixel_values=batch.vision["pixel_values"], output_hidden_states=True).hidden_states
        raw = torch.stack([states[6 * (k + 1) // tokens][:, 0] for k in range(tokens)], dim=1)
        torch.testing.assert_close(model.image_features(net, batch), net.projector(raw).flatten(0, 1))
    assert len(model.image_features(net, batch)) == 2 * tokens


def test_the_prefix_is_new_in_float32_and_of_the_seed(tmp_path: Path) -> None:
    llm, tower = save_checkpoints(tmp_path)
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(load_model(tmp_path, llm, tower).build(dtype=torch.bfloat16, quantization=None))
    first, second, third = (net.projector.up.weight for net in nets)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert {p.dtype for p in nets[0].projector.parameters()} == {torch.float32}
    assert {p.dtype for p in (*nets[0].model.parameters(), *nets[0].vision.parameters())} == {torch.bfloat16}
    model = load_model(tmp_path, llm, tower)
    batch = harness.single_batch(model.codec().encode(ask("Read.", picture(tmp_path)), reply=True))
    assert harness.logits(model, nets[0], batch).dtype == torch.bfloat16
    assert not any(p.requires_grad for p in nets[0].parameters())


# --------------------------------------------------------------------------------------------------------------- speech


def test_an_adapter_of_the_llm_alone_loads_into_the_plain_llm(tmp_path: Path) -> None:
    llm, tower = save_checkpoints(tmp_path)
    model = load_model(tmp_path, llm, tower)
    net = harness.build_net(model)
    config = LoraConfig(r=2, target_modules=r"model\.layers\.\d+\.self_attn\.q_proj", init_lora_weights=False)
    adapted_net = get_peft_model(net, config).eval()
    adapted_net.save_pretrained(tmp_path / "lora")
    sample = model.codec().encode(ask("How much is it?"), reply=True)
    plain = LlamaForCausalLM.from_pretrained(llm)
    plain.load_adapter(str(tmp_path / "lora"))
    with torch.no_grad():
        reference = plain.eval()(sample.tokens_T[None]).logits[0, :-1][sample.labels_T[1:] != IGNORE]
        torch.testing.assert_close(harness.logits(model, adapted_net, harness.single_batch(sample)), reference)


def test_a_checkpoint_speaks_without_its_own_penalties_and_ends_where_replies_end(tmp_path: Path) -> None:
    llm, tower = save_checkpoints(tmp_path)
    (llm / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "temperature": 0.6, "repetition_penalty": 1.5, "eos_token_id": [7, 9]})
    )
    model = load_model(tmp_path, llm, tower)
    net, codec = harness.build_net(model), model.codec()
    assert net.generation_config.eos_token_id == sorted({7, 9, codec.end})
    batch = Padded()([codec.encode(ask("aaaa"), reply=False)], pad=codec.pad, side="left")
    prompt = batch.tokens_BT
    reference = []
    with torch.no_grad():
        while len(reference) < 5:  # one token after the other, without a cache
            likeliest = int(LlamaForCausalLM.forward(net, prompt).logits[0, -1].argmax())
            reference.append(likeliest)
            prompt = torch.cat([prompt, torch.tensor([[likeliest]])], dim=1)
    ends = [k for k, token in enumerate(reference) if token in net.generation_config.eos_token_id]
    assert model.generate(net, batch, max_new_tokens=5, synced_gpus=False) == [
        reference[: ends[0]] if ends else reference
    ]


def test_a_qwen2_speaks_too(tmp_path: Path) -> None:
    _, tower = save_checkpoints(tmp_path)
    llm = tmp_path / "qwen2"
    words = AutoTokenizer.from_pretrained(untrained_folder(tmp_path / "cache", SHAPE))
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Qwen2Config(vocab_size=len(words), num_key_value_heads=1, tie_word_embeddings=True, **sizes)
    Qwen2ForCausalLM(config).save_pretrained(llm)
    words.save_pretrained(llm)
    model = load_model(tmp_path, llm, tower)
    net, codec = harness.build_net(model), model.codec()
    batch = harness.single_batch(codec.encode(ask("Read.", picture(tmp_path), reply="abc"), reply=True))
    assert harness.logits(model, net, batch).shape == (4, len(words))


# ----------------------------------------------------------------------------------------------------------- the tokens


def test_a_plain_dialogue_is_its_beginning_its_images_its_text_its_reply_and_its_end(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    words = codec.tokenizer
    sample = codec.encode(ask("Hi", picture(tmp_path), picture(tmp_path), reply="R1"), reply=True)
    reply_text = words.convert_ids_to_tokens(sample.tokens_T.tolist())
    assert [w for w, m in zip(reply_text, sample.modality_T, strict=True) if m != IMAGE] == [
        "<s>",
        *"Hi",
        *"R1",
        "</s>",
    ]
    assert sample.image_T.tolist() == [-1, *[0] * 6, *[1] * 6, -1, -1, -1, -1, -1]
    assert sample.labels_T.tolist() == [IGNORE] * 15 + words.convert_tokens_to_ids(["R", "1", "</s>"])
    assert sample.positions_RT.tolist() == [list(range(18))]


def test_a_chat_template_is_the_llms_own_and_its_turn_ends_a_reply(tmp_path: Path, folder: Path) -> None:
    chatty(folder)
    codec = make_model(tmp_path).codec()
    text = "<s><|start|>system<|stop|>\n\nBe brief.<|turn|><|start|>user<|stop|>\n\n"
    turns = (
        Turn(role="system", text="Be brief."),
        Turn(role="user", text="Which?", images=(picture(tmp_path), picture(tmp_path))),
    )
    sample = codec.encode(Dialogue(id="d", task="t", prompt=turns, reply="R1"), reply=True)
    prefix_tokens = codec.tokenizer(text, add_special_tokens=False)["input_ids"]
    suffix_tokens = codec.tokenizer("Which?<|turn|><|start|>assistant<|stop|>\n\nR1<|turn|>", add_special_tokens=False)
    assert sample.tokens_T[sample.modality_T != IMAGE].tolist() == [*prefix_tokens, *suffix_tokens["input_ids"]]
    assert sample.image_T.tolist() == [-1] * len(prefix_tokens) + [0] * 6 + [1] * 6 + [-1] * len(
        suffix_tokens["input_ids"]
    )
    assert codec.tokenizer.convert_ids_to_tokens(codec.end) == "<|turn|>"
    plainly = make_model(tmp_path, chat_template=False).codec()
    assert plainly.encode(ask("Hi"), reply=False).tokens_T.tolist() == plainly.tokenizer("<s>Hi")["input_ids"]


def test_a_chat_template_that_refuses_or_drops_a_turn_is_told(tmp_path: Path, folder: Path) -> None:
    chatty(
        folder,
        template="{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}</s>{% endif %}{% endfor %}",
    )
    system = replace(ask("a"), prompt=(Turn(role="system", text="a", images=(picture(tmp_path),)),))
    with pytest.raises(ValueError, match=r"'d'.*writes 0 of 1 images.*chat_template=false"):
        make_model(tmp_path).codec().encode(system, reply=True)
    chatty(folder, template="{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}")
    with pytest.raises(ValueError, match=r"'d'.*no system"):
        make_model(tmp_path).codec().encode(system, reply=True)


CONTROL = ("<s>", "</s>", "<|start|>", "<|stop|>", "<|turn|>")


@given(
    parts=st.lists(
        st.sampled_from([*CONTROL, "<", "s>", "|>", "<|", "a", "\ue000", "0", "\ue001", "[INST]"]), max_size=8
    )
)
@settings(max_examples=80, deadline=None)
def test_no_words_of_a_user_or_a_reply_become_control_tokens_or_images(parts: list[str], codec: Any) -> None:
    text = "".join(parts)
    plain, forged_sample = (codec.encode(replace(ask(t), reply=t), reply=True) for t in ("a", text))
    control = set(codec.tokenizer.convert_tokens_to_ids(list(CONTROL)))
    counts = [sum(int(token) in control for token in sample.tokens_T) for sample in (plain, forged_sample)]
    assert counts[0] == counts[1]
    assert not (forged_sample.modality_T == IMAGE).any()


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("chat")
    chatty(untrained_folder(place / "cache", SHAPE))
    return make_model(place).codec()


def test_words_that_are_no_control_tokens_stay_as_they_are(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    text = "[INST] a < b, <i>s</i> <|im_end|> </ s> [/INST]"
    assert codec.decode(codec.encode(ask(text), reply=False).tokens_T[1:].tolist()) == text


@pytest.mark.parametrize("reply", ["The answer is A.", "\nled by a line", "Ω </s> µ", ""])
def test_llamas_own_kind_of_tokenizer_gives_replies_back(tmp_path: Path, folder: Path, reply: str) -> None:
    """A sentence piece begins with a space of its own, and what has no piece is spelt in bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), "▁", *map(chr, range(33, 127))]
    LlamaTokenizer(vocab={piece: k for k, piece in enumerate(pieces)}).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(pieces)}))
    codec = make_model(tmp_path).codec()
    sample = codec.encode(ask("Which?", picture(tmp_path), reply=reply), reply=True)
    assert sample.tokens_T[0] == codec.tokenizer.bos_token_id
    assert (sample.tokens_T == codec.end).sum() == 6 + 1, "as filling in the image's places, and at the end"
    reply_text = codec.decode(sample.labels_T[sample.labels_T != IGNORE].tolist())
    assert reply_text.replace("\N{ZERO WIDTH SPACE}", "") == reply


def test_a_padding_token_without_an_embedding_is_not_used(tmp_path: Path, folder: Path) -> None:
    assert make_model(tmp_path).codec().pad == make_model(tmp_path).codec().end  # Llama has none
    words = AutoTokenizer.from_pretrained(folder)
    words.add_special_tokens({"pad_token": "[PAD]"})  # behind the LLM's vocabulary
    words.save_pretrained(folder)
    codec = make_model(tmp_path).codec()
    assert codec.tokenizer.pad_token_id == len(words) - 1
    assert codec.pad == codec.end


def test_a_dialogue_that_is_too_long_is_refused_whole(tmp_path: Path) -> None:
    dialogue = ask("Read.", picture(tmp_path))
    size = len(make_model(tmp_path).codec().encode(dialogue, reply=True))
    assert len(make_model(tmp_path, max_tokens=size).codec().encode(dialogue, reply=True)) == size
    with pytest.raises(ValueError, match=f"'d': .*got {size} tokens, 6 of them image tokens"):
        make_model(tmp_path, max_tokens=size - 1).codec().encode(dialogue, reply=True)


# ----------------------------------------------------------------------------------------------------------- the images


def test_square_shows_the_ends_of_a_long_picture_and_own_follows_clips_folder(tmp_path: Path, folder: Path) -> None:
    tower = folder / "vision"
    settings_file = json.loads((tower / "preprocessor_config.json").read_text())
    clips = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}, "do_center_crop": True}
    (tower / "preprocessor_config.json").write_text(json.dumps({**settings_file, **clips}))
    strip = np.full((20, 200, 3), 255, dtype=np.uint8)
    strip[:, :20] = 0  # ink at the left end alone
    image = Image.fromarray(strip)
    square, middle = (
        load_image_processor(tower, resize=how)(images=[image], return_tensors="pt") for how in ("square", "own")
    )
    assert square["pixel_values"].shape == middle["pixel_values"].shape == (1, 3, 56, 56)
    assert float(square["pixel_values"].max()) > 1
    assert float(middle["pixel_values"].abs().max()) == 0
    small = np.asarray(image.resize((56, 56), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    torch.testing.assert_close(
        square["pixel_values"][0], torch.tensor((1 - small) * 3).permute(2, 0, 1), atol=1e-5, rtol=0
    )


def test_a_processor_of_another_size_than_its_tower_is_refused(folder: Path) -> None:
    tower = folder / "vision"
    settings_file = json.loads((tower / "preprocessor_config.json").read_text())
    (tower / "preprocessor_config.json").write_text(json.dumps({**settings_file, "size": {"height": 28, "width": 28}}))
    with pytest.raises(ValueError, match=r"expected pictures of 56 x 56 pixels, .* got 28 x 28"):
        load_image_processor(tower, resize="own")
    assert load_image_processor(tower, resize="square").size.height == 56


def test_a_picture_like_a_thread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'d'.*1000 x 2 pixels"):
        make_model(tmp_path).codec().encode(ask("Read.", picture(tmp_path, (1000, 2))), reply=True)


# ---------------------------------------------------------------------------------------------------------- the folders


def test_a_whole_clip_gives_its_vision_tower(tmp_path: Path) -> None:
    llm, tower = save_checkpoints(tmp_path)
    config = CLIPVisionModel.from_pretrained(tower).config
    words = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    whole = CLIPModel(CLIPConfig(text_config={**words, "vocab_size": 40}, vision_config=config.to_dict()))
    whole.save_pretrained(tmp_path / "clip")
    shutil.copy(tower / "preprocessor_config.json", tmp_path / "clip")
    net = harness.build_net(load_model(tmp_path, llm, tmp_path / "clip", resize="square"))
    tower_weights = {
        name: p for name, p in whole.vision_model.named_parameters() if not name.startswith("post_layernorm")
    }
    result = dict(net.vision.named_parameters())
    assert result.keys() == tower_weights.keys()
    assert all(torch.equal(result[name], tower_weights[name]) for name in tower_weights)


@pytest.mark.parametrize("place", ["", "7B"])
@pytest.mark.parametrize("file", ["consolidated.00.pth", "params.json"])
def test_metas_own_weights_are_recognised_unopened_and_told_the_conversion(
    tmp_path: Path, place: str, file: str
) -> None:
    (tmp_path / "LLaMA" / place).mkdir(parents=True)
    (tmp_path / "LLaMA" / place / file).write_bytes(b"cos\nsystem\n(S'false'\ntR.")  # a pickle that would run a command
    with pytest.raises(FileNotFoundError) as error_info:
        load_model(tmp_path, tmp_path / "LLaMA", tmp_path).codec()
    lines = str(error_info.value).splitlines()
    assert len(lines) == 2
    assert "Meta's own weights" in lines[0]
    assert f"convert_llama_weights_to_hf.py --input_dir {tmp_path / 'LLaMA' / place} " in lines[1]
    assert "model.weights=DIR" in lines[1]


def test_missing_folders_are_told_in_two_lines_by_the_setting_that_names_them(tmp_path: Path, folder: Path) -> None:
    for weights, vision, key in (
        ("/no/such/folder", str(folder / "vision"), "model.weights"),
        (str(folder), "/no/such/folder", "model.vision"),
        (str(folder), "nobody-at-all/no-such-tower", "model.vision"),
        (str(folder), str(tmp_path), "model.vision"),
    ):
        with pytest.raises(FileNotFoundError) as error_info:
            make_model(tmp_path, shape=None, weights=weights, vision=vision).codec()
        lines = str(error_info.value).splitlines()
        assert len(lines) == 2
        assert lines[0].startswith(f"{key}: ")
        assert f"{key}=" in lines[1]


def test_what_is_no_clip_or_not_laid_out_as_llama_is_refused(tmp_path: Path) -> None:
    llm, tower = save_checkpoints(tmp_path)
    with pytest.raises(ValueError, match=r"model\.vision: .*'llama'"):
        load_model(tmp_path, llm, llm).codec()
    words = AutoTokenizer.from_pretrained(llm)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(words), n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path / "gpt2")
    words.save_pretrained(tmp_path / "gpt2")
    with pytest.raises(ValueError, match=r"of the type 'gpt2', which has no model\.embed_tokens"):
        load_model(tmp_path, tmp_path / "gpt2", tower).build(dtype=torch.float32, quantization=None)


def test_weights_come_with_vision_or_there_is_a_shape(tmp_path: Path) -> None:
    for wrong in ({"weights": "a"}, {"vision": "a"}, {"shape": None}, {"shape": None, "weights": "a"}):
        with pytest.raises(ValueError, match="either weights and vision, or shape"):
            make_model(tmp_path, **wrong)
