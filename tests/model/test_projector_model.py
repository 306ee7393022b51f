"""Test causal LMs of several families with an encoder of pictures, in their own layout and chat template."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import gelu
from transformers import (
    AutoTokenizer,
    CLIPVisionConfig,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from circuitvlm.collate.padded import Padded
from circuitvlm.core.record import Dialogue, Picture, Turn
from circuitvlm.core.tensor import IGNORE, IMAGE
from circuitvlm.model.projector import Projector
from circuitvlm.model.projector.network import Encoder, make_image_processor
from circuitvlm.model.projector.untrained import untrained_folder
from tests.contract import harness, parts
from tests.steps import growth

LLAMA31 = (
    "{{ bos_token }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "<|start|>system<|stop|>\n\nToday Date: {{ date_string }}\n\n<|turn|>"
    "{% for message in messages %}<|start|>{{ message['role'] }}<|stop|>\n\n{{ message['content'] | trim }}<|turn|>"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
)
"""The layout of Llama 3.2's template, with shorter words."""

SHAPE = Projector.smoke_test_shape

SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
LLMS: dict[str, tuple[Any, Any]] = {
    "gpt2": (GPT2LMHeadModel, lambda n: GPT2Config(vocab_size=n, n_embd=32, n_layer=2, n_head=2)),
    "gpt_neox": (GPTNeoXForCausalLM, lambda n: GPTNeoXConfig(vocab_size=n, intermediate_size=64, **SMALL)),
    "opt": (OPTForCausalLM, lambda n: OPTConfig(vocab_size=n, ffn_dim=64, word_embed_proj_dim=32, **SMALL)),
    "qwen2": (
        Qwen2ForCausalLM,
        lambda n: Qwen2Config(
            vocab_size=n, intermediate_size=64, num_key_value_heads=1, tie_word_embeddings=True, **SMALL
        ),
    ),
    "gemma2": (  # it scales its embeddings and caps its logits
        Gemma2ForCausalLM,
        lambda n: Gemma2Config(vocab_size=n, intermediate_size=64, num_key_value_heads=1, head_dim=16, **SMALL),
    ),
}


def make_model(tmp_path: Path, **changes: Any) -> Projector:
    defaults: dict[str, Any] = {
        "weights": None, "shape": SHAPE, "image": 8, "patch": 8, "tokens": 1, "hidden": [], "mean": 0.3,
        "std": 0.4, "chat_template": True, "attention": "sdpa", "gradient_checkpointing": False, "max_tokens": 256,
        "cache": str(tmp_path / "cache"),
    }  # fmt: skip
    return Projector(**{**defaults, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return untrained_folder(tmp_path / "cache", SHAPE, image_processor=make_image_processor(image=8, mean=0.3, std=0.4))


def save_llm(tmp_path: Path, kind: str) -> Path:
    """A small LLM of some family with random weights, with the character tokenizer."""
    words = AutoTokenizer.from_pretrained(
        untrained_folder(tmp_path / "cache", SHAPE, image_processor=make_model(tmp_path).image_processor)
    )
    net, config = LLMS[kind]
    torch.manual_seed(0)
    ends = {"eos_token_id": words.eos_token_id, "bos_token_id": None, "pad_token_id": words.pad_token_id}
    llm_config = config(len(words))
    llm_config.update(ends)
    net(llm_config).save_pretrained(tmp_path / kind)
    words.save_pretrained(tmp_path / kind)
    return tmp_path / kind


def load_model(tmp_path: Path, kind: str) -> Projector:
    weights = str(save_llm(tmp_path, kind))
    return make_model(tmp_path, shape=None, weights=weights, attention="eager" if kind == "gemma2" else "sdpa")


def picture(tmp_path: Path, *, seed: int = 0, size: tuple[int, int] = (8, 8)) -> Picture:
    path = tmp_path / f"{seed}-{size[0]}.png"
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], dtype=np.uint8)).save(path)
    return Picture(path)


def ask(*pictures: Picture, text: str = "What digit is this?", reply: str = "The digit is 7.") -> Dialogue:
    return Dialogue(id="d", task="digit", prompt=(Turn(role="user", text=text, images=pictures),), reply=reply)


# ---------------------------------------------------------------------------------------------------------- the encoder


def test_the_encoder_has_llava_mnists_number_of_weights_on_the_real_shape() -> None:
    with torch.device("meta"):
        encoder = parts.build("model", "projector_llama_8b").encoder(llm_width=4096)
    assert sum(p.numel() for p in encoder.parameters()) == 3_215_360


def test_linear_is_one_matrix_and_a_bias_on_the_normalised_grey_values(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    net = harness.build_net(model)
    pictures = [picture(tmp_path, seed=k) for k in range(3)]
    batch = harness.single_batch(model.codec().encode(ask(*pictures), reply=True))
    grey = np.stack([np.asarray(Image.open(p.path), dtype=np.float32).reshape(64) / 255 for p in pictures])
    (layer,) = net.projector.layers
    reference = torch.tensor((grey - 0.3) / 0.4) @ layer.weight.T + layer.bias
    torch.testing.assert_close(model.image_features(net, batch), reference, atol=1e-5, rtol=1e-5)
    assert model.image_tokens == 1
    assert int((batch.modality_BT == IMAGE).sum()) == 3


def test_colours_count_by_their_mean(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    net = harness.build_net(model)
    features = []
    for name, colour in (("a", (200, 40, 60)), ("b", (100, 100, 100))):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
        sample = model.codec().encode(ask(Picture(tmp_path / f"{name}.png")), reply=True)
        features.append(model.image_features(net, harness.single_batch(sample)))
    torch.testing.assert_close(*features)


def test_squares_are_cut_in_the_order_of_reading_and_pass_through_hidden_layers() -> None:
    torch.manual_seed(0)
    encoder = Encoder(patch=2, tokens=3, hidden=[5, 7], llm_width=4)
    pixels = torch.rand(2, 1, 4, 6).expand(-1, 3, -1, -1)
    first, second, last = encoder.layers
    reference = []
    for image in pixels[:, 0]:
        for top in (0, 2):
            for column in (0, 2, 4):
                square = image[top : top + 2, column : column + 2].flatten()
                reference.append(last(gelu(second(gelu(first(square))))).reshape(3, 4))
    torch.testing.assert_close(encoder(pixels), torch.cat(reference).reshape(2, 18, 4))


def test_several_tokens_stand_in_a_row_for_each_image(tmp_path: Path) -> None:
    model = make_model(tmp_path, patch=4, tokens=2, hidden=[16])
    net, codec = harness.build_net(model), model.codec()
    first, second = picture(tmp_path, seed=1), picture(tmp_path, seed=2)
    sample = codec.encode(ask(first, second), reply=True)
    assert sample.image_T[sample.modality_T == IMAGE].tolist() == [0] * 8 + [1] * 8
    joint_features = model.image_features(net, harness.single_batch(sample))
    single = [
        model.image_features(net, harness.single_batch(codec.encode(ask(p), reply=True))) for p in (first, second)
    ]
    torch.testing.assert_close(joint_features, torch.cat(single))


def test_the_encoder_is_new_in_float32_and_of_the_seed(tmp_path: Path) -> None:
    model = make_model(tmp_path, shape=None, weights=str(save_llm(tmp_path, "qwen2")))
    nets: list[Any] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(model.build(dtype=torch.bfloat16, quantization=None))
    first, second, third = (net.projector.layers[0].weight for net in nets)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert {p.dtype for p in nets[0].projector.parameters()} == {torch.float32}
    assert {p.dtype for p in nets[0].model.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad for p in nets[0].parameters())
    batch = harness.single_batch(model.codec().encode(ask(picture(tmp_path)), reply=True))
    assert harness.logits(model, nets[0], batch).dtype == torch.bfloat16


# --------------------------------------------------------------------------------------------------------------- speech


@pytest.mark.parametrize("kind", LLMS)
def test_any_causal_lm_speaks_as_it_does_alone(kind: str, tmp_path: Path) -> None:
    model = load_model(tmp_path, kind)
    net, codec = harness.build_net(model), model.codec()
    homes = [prefix for group in model.components.values() for prefix in group]
    assert all(sum(name.startswith(f"{home}.") for home in homes) == 1 for name, _ in net.named_parameters())
    assert len(net.get_submodule(model.blocks[0])) == 2
    samples = [
        codec.encode(ask(picture(tmp_path)), reply=True),
        codec.encode(ask(text="2 + 2?"), reply=True),
    ]
    plain = LLMS[kind][0].from_pretrained(tmp_path / kind, attn_implementation=model.attention).eval()
    batch = Padded()(samples, pad=codec.pad, side="left")
    batch_logits = harness.logits(model, net, batch)
    for k, sample in enumerate(samples):
        words = plain.get_input_embeddings()(sample.tokens_T[None])
        words[0, sample.modality_T == IMAGE] = model.image_features(net, harness.single_batch(sample))
        reference = plain(inputs_embeds=words).logits[0, :-1][sample.labels_T[1:] != IGNORE]
        torch.testing.assert_close(batch_logits[batch.segment_N == k], reference, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", LLMS)
def test_any_causal_lm_replies_as_one_token_after_the_other(kind: str, tmp_path: Path) -> None:
    model = load_model(tmp_path, kind)
    net, codec = harness.build_net(model), model.codec()
    prompts = [codec.encode(ask(picture(tmp_path, seed=k), text=t), reply=False) for k, t in enumerate(("a?", "Hm?"))]
    batch = Padded()(prompts, pad=codec.pad, side="left")
    for prompt, result in zip(prompts, model.generate(net, batch, max_new_tokens=4, synced_gpus=False), strict=True):
        reply: list[int] = []
        while len(reply) < 4:
            sample = harness.append_tokens(prompt, [*reply, 0])
            token = int(harness.logits(model, net, harness.single_batch(sample))[-1].argmax())
            if token in net.generation_config.eos_token_id:
                break
            reply.append(token)
        assert result == reply


def test_ten_answers_are_told_apart_by_their_likelihood(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    net, codec = harness.build_net(model), model.codec()
    choices = tuple(f"The digit is {k}." for k in range(10))
    bound = replace(ask(picture(tmp_path)), choices=choices)
    batch = Padded()([codec.encode(bound, reply=False)], pad=codec.pad, side="left")
    reply = codec.decode(model.generate(net, batch, max_new_tokens=20, synced_gpus=False)[0])
    likelihood = {}
    for choice in choices:
        answer_sample = codec.encode(replace(bound, reply=choice), reply=True)
        likelihood[choice] = -float(harness.losses(model, net, harness.single_batch(answer_sample))[0].detach())
    assert reply in choices
    best = max(likelihood.values())
    assert likelihood[reply] == pytest.approx(best, abs=0.05), "what follows the digit is the same for all"


# ----------------------------------------------------------------------------------------------------------- the tokens


@pytest.fixture
def chat(tmp_path: Path, folder: Path) -> Any:
    """The codec of an LLM with Llama 3.2's layout."""
    words = AutoTokenizer.from_pretrained(folder)
    control = ["<|start|>", "<|stop|>", "<|turn|>", "<|begin|>"]
    words.add_special_tokens({"bos_token": "<|begin|>", "extra_special_tokens": control[:3]})
    words.chat_template = LLAMA31
    words.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(words)}))
    return make_model(tmp_path).codec()


def test_the_template_is_the_llms_own_with_one_beginning_and_only_the_reply_is_learnt(
    tmp_path: Path, chat: Any
) -> None:
    sample = chat.encode(ask(picture(tmp_path)), reply=True)
    system = "<|begin|><|start|>system<|stop|>\n\nToday Date: 26 Jul 2024\n\n<|turn|><|start|>user<|stop|>\n\n"
    prefix_tokens = chat.tokenizer(system, add_special_tokens=False)["input_ids"]
    suffix_tokens = chat.tokenizer(
        "What digit is this?<|turn|><|start|>assistant<|stop|>\n\n", add_special_tokens=False
    )
    reply = chat.tokenizer("The digit is 7.<|turn|>", add_special_tokens=False)["input_ids"]
    assert sample.tokens_T[sample.modality_T != IMAGE].tolist() == [*prefix_tokens, *suffix_tokens["input_ids"], *reply]
    assert int((sample.modality_T == IMAGE).nonzero()) == len(prefix_tokens)
    assert sample.labels_T[sample.labels_T != IGNORE].tolist() == reply
    assert int((sample.tokens_T == chat.tokenizer.bos_token_id).sum()) == 1
    assert sample.tokens_T[0] == chat.tokenizer.bos_token_id


def test_a_dialogue_that_is_too_long_is_refused_whole(tmp_path: Path) -> None:
    dialogue = ask(picture(tmp_path))
    size = len(make_model(tmp_path).codec().encode(dialogue, reply=True))
    assert len(make_model(tmp_path, max_tokens=size).codec().encode(dialogue, reply=True)) == size
    with pytest.raises(ValueError, match=f"'d': .*got {size} tokens, 1 of them image tokens"):
        make_model(tmp_path, max_tokens=size - 1).codec().encode(dialogue, reply=True)


def test_a_text_full_of_what_marks_an_image_is_no_image_and_takes_no_time(tmp_path: Path) -> None:
    codec = make_model(tmp_path, max_tokens=10**6).codec()

    def split_marks(count: int) -> list[Any]:
        text = "".join(f"\ue000{k}\ue001" for k in range(count)) + "\ue000\ue000\ue001"
        return codec._split_at_images(ask(picture(tmp_path), text=text))

    assert growth(split_marks, 8000) < 9  # or it searches the text once for each mark in it
    pieces = split_marks(30_000)
    assert len(pieces) == 2
    assert pieces[1].count("\ue001") == 30_001


def test_a_template_that_repeats_an_image_is_told(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    codec.tokenizer.chat_template = "{{ messages[0]['content'] }}{{ messages[0]['content'] }}"
    with pytest.raises(ValueError, match=r"'d'.*writes 2 of 1 images.*repeats.*model\.chat_template=false"):
        codec.encode(ask(picture(tmp_path)), reply=True)


def test_an_llm_whose_vocabulary_is_stated_beside_a_towers_has_a_codec(tmp_path: Path, folder: Path) -> None:
    words = AutoTokenizer.from_pretrained(folder)
    config = Gemma3Config(text_config={"vocab_size": len(words), "num_hidden_layers": 1})
    config.save_pretrained(tmp_path / "gemma3")
    assert "vocab_size" not in json.loads((tmp_path / "gemma3" / "config.json").read_text())
    words.save_pretrained(tmp_path / "gemma3")
    codec = make_model(tmp_path, shape=None, weights=str(tmp_path / "gemma3")).codec()
    assert codec.pad == words.pad_token_id


def test_pictures_of_another_size_are_seen_whole(tmp_path: Path) -> None:
    codec = make_model(tmp_path).codec()
    long = np.zeros((20, 60), dtype=np.uint8)
    long[:, 50:] = 255  # ink at the right end alone
    Image.fromarray(long).save(tmp_path / "long.png")
    features = codec.encode(ask(Picture(tmp_path / "long.png")), reply=True).vision["pixel_values"]
    assert features.shape == (1, 3, 8, 8)
    assert float(features[..., -1].min()) > float(features[..., :5].max())


# --------------------------------------------------------------------------------------------------------- the refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": None}, "either weights or shape"),
        ({"weights": "a"}, "either weights or shape"),
        ({"patch": 3}, r"patch: expected a divisor of model\.image=8, .* got 3"),
        ({"patch": 16}, r"patch: expected .* got 16"),
        ({"patch": 0}, r"patch: expected .* got 0"),
        ({"tokens": 0}, "tokens=0"),
        ({"hidden": [4, 0]}, r"hidden=\[4, 0\]"),
        ({"std": 0.0}, "std=0.0"),
    ],
)
def test_settings_that_cannot_be_are_told(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        make_model(tmp_path, **changes)


def test_what_is_no_causal_lm_is_refused(tmp_path: Path) -> None:
    CLIPVisionConfig().save_pretrained(tmp_path / "clip")
    with pytest.raises(ValueError, match=r"model\.weights: expected a causal language model, .*'clip_vision_model'"):
        _ = make_model(tmp_path, shape=None, weights=str(tmp_path / "clip")).components


def test_the_hub_is_asked_once_for_a_model_and_again_where_it_was_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[str] = []

    def download(name: str, **_: Any) -> str:
        asked_for.append(name)
        if len(asked_for) == 1:
            raise OSError("no network")
        return str(folder)

    folder = save_llm(tmp_path, "qwen2")
    monkeypatch.setattr("circuitvlm.model.base.checkpoint_folder.snapshot_download", download)
    model = make_model(tmp_path, shape=None, weights=f"nobody/{tmp_path.name}")
    with pytest.raises(FileNotFoundError, match="was not reached"):
        model.codec()
    model.codec()
    net = harness.build_net(model)
    assert all(net.get_submodule(path) for paths in (*model.components.values(), model.blocks) for path in paths)
    assert len(asked_for) == 2


def test_a_missing_folder_is_told_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error_info:
        make_model(tmp_path, shape=None, weights="/no/such/folder").codec()
    first, second = str(error_info.value).splitlines()
    assert first.startswith("model.weights: /no/such/folder")
    assert "model.weights=" in second
