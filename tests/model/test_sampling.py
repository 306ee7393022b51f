"""Check that sampled tokens have the stated distribution, and depend on nothing but the reply and the seed."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import torch
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from circuitvlm.model.base.sampling import SETTINGS, Sampling, check_settings

LOGITS_V = torch.tensor([1.0, 0.5, 0.0, -1.0, -3.0, 2.0])
COUNT = 4000


def sample(settings: dict[str, float], *, ids: list[str], tokens: list[int] | None = None) -> list[int]:
    """The token of each reply, all from the same logits, after a prompt of two tokens and the reply's `tokens`."""
    sampling = Sampling(settings, ids=ids, choices=[], prompt_length=2)
    prompt = torch.tensor([[0, 5, *(tokens or [])]]).expand(len(ids), -1)
    result: list[int] = sampling(prompt, LOGITS_V.expand(len(ids), -1)).argmax(-1).tolist()
    return result


@pytest.mark.parametrize(
    ("settings", "processors"),
    [
        ({"temperature": 1}, []),
        ({"temperature": 0.5}, [TemperatureLogitsWarper(0.5)]),
        ({"top_k": 3}, [TopKLogitsWarper(3)]),
        ({"temperature": 2.0, "top_p": 0.8}, [TemperatureLogitsWarper(2.0), TopPLogitsWarper(0.8)]),
        ({"top_p": 0.5, "top_k": 4, "seed": 7}, [TopKLogitsWarper(4), TopPLogitsWarper(0.5)]),
    ],
)
def test_tokens_have_the_distribution_that_transformers_gives_for_the_settings(
    settings: dict[str, float], processors: list[object]
) -> None:
    logits = LogitsProcessorList(processors)(torch.zeros(1, 1, dtype=torch.long), LOGITS_V[None])
    counts = Counter(sample(settings, ids=[str(k) for k in range(COUNT)]))
    for token, probability in enumerate(logits.softmax(-1)[0].tolist()):
        deviation = (COUNT * probability * (1 - probability)) ** 0.5
        assert counts[token] == pytest.approx(COUNT * probability, abs=4 * deviation), token


def test_a_reply_depends_on_its_id_its_length_and_the_seed_alone() -> None:
    ids = [str(k) for k in range(40)]
    together = sample({"temperature": 1.0}, ids=ids)
    assert [sample({"temperature": 1.0}, ids=[id])[0] for id in ids] == together
    assert sample({"temperature": 1.0}, ids=ids[::-1])[::-1] == together
    assert sample({"temperature": 1.0, "seed": 1}, ids=ids) != together
    assert sample({"temperature": 1.0}, ids=ids, tokens=[3]) != together


def test_the_penalty_looks_at_the_reply_alone_and_is_not_random() -> None:
    assert sample({"repetition_penalty": 1.5}, ids=["a", "b"]) == [5, 5], "5 stands in the prompt"
    assert sample({"repetition_penalty": 4.0}, ids=["a", "b"], tokens=[5]) == [0, 0]


def test_a_row_with_choices_keeps_its_logits() -> None:
    sampling = Sampling({"temperature": 0.1}, ids=["a", "b", "c"], choices=[(), ((1, 2),), ()], prompt_length=0)
    logits_BV = sampling(torch.zeros(3, 1, dtype=torch.long), LOGITS_V.expand(3, -1))
    assert torch.equal(logits_BV[1], LOGITS_V)
    assert not torch.equal(logits_BV[0], LOGITS_V)
    assert not torch.equal(logits_BV[2], LOGITS_V)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "model.sampling.temperature: expected a number above 0, got 0"),
        ({"temperature": float("nan")}, "expected a number above 0, got nan"),
        ({"temperature": "hot"}, "expected a number above 0, got 'hot'"),
        ({"top_p": 1.1}, "at most 1, got 1.1"),
        ({"top_k": 2.5}, "expected a whole number above 0, got 2.5"),
        ({"seed": -1}, "expected a whole number from 0 on, got -1"),
        ({"beams": 4}, "expected settings among temperature, top_k, top_p, repetition_penalty, seed, got 'beams'"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_settings(settings)
    check_settings(dict.fromkeys(SETTINGS, 1))
