"""Write the model that training on receipts starts from: circuit-tiny's weights, with tokens for receipts.

    python weights/receipt_start.py runs/receipt_start

Each key of the JSON text is one token, and so is each part of a ware's name that the generator knows; prices are read
digit by digit. Characters keep the tokens of circuit-tiny, so any other text can be written, too.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, pre_tokenizers

from circuitvlm.data.receipts.words import ADDITIONS, NOTES, WARES

BASE = Path(__file__).parent / "circuit-tiny"
EMBEDDING = "model.embed_tokens.weight"
NEW_STD = 0.05
"""The standard deviation of new tokens' weights: a quarter of that of trained ones."""
COPIED_FILES = ("chat_template.jinja", "generation_config.json", "preprocessor_config.json", "tokenizer_config.json")

SECTIONS = ("menu", "void_menu", "sub_total", "total")
FIELDS = (
    "nm", "num", "unitprice", "cnt", "discountprice", "price", "itemsubtotal", "vatyn", "etc", "subtotal_price",
    "discount_price", "service_price", "othersvc_price", "tax_price", "total_price", "cashprice", "changeprice",
    "creditcardprice", "emoneyprice", "menutype_cnt", "menuqty_cnt",
)  # fmt: skip
AMOUNT_PARTS = (".000", ",000", ".500", ",500", ".00", "Rp ", "IDR ", "RM ", " EUR", ",-", "£", "¥")


def tokens() -> list[str]:
    """The tokens besides single characters: JSON's keys with their punctuation, parts of names and of amounts."""
    keys = [f'{sign}"{key}":' for key in SECTIONS for sign in ("{", ",")]
    keys += [f'{sign}"{key}":"' for key in FIELDS for sign in ("{", '",')]
    keys += ['","sub":', '","sub":[', '"},{"nm":"', '"}', '"}}', '"}]', '"}}}', '"}]}', '[{"nm":"']
    names = [text for shop in WARES.values() for name in shop for words in name for text in words]
    names += [*ADDITIONS, *NOTES]
    return list(dict.fromkeys([*keys, *AMOUNT_PARTS, *_both_cases(names)]))


def _both_cases(texts: Iterable[str]) -> list[str]:
    """Each text as it is and in capitals, without single characters."""
    return [variant for text in texts for variant in (text, text.upper()) if len(variant) > 1]


def extend_tokenizer(path: Path, new_tokens: list[str]) -> Tokenizer:
    """A tokenizer with more tokens, the longest of which matches first; characters keep their ids."""
    content = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    for text in new_tokens:
        vocabulary.setdefault(text, len(vocabulary))
    tokenizer = Tokenizer.from_str(json.dumps(content))
    pattern = "|".join(re.escape(text) for text in sorted(new_tokens, key=len, reverse=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{pattern}|[\s\S]"), behavior="isolated")
    return tokenizer


def write(folder: Path) -> None:
    """Write a model whose new tokens are not trained yet: their weights are random, with a fixed seed."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = extend_tokenizer(BASE / "tokenizer.json", tokens())
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in COPIED_FILES:
        (folder / name).write_bytes((BASE / name).read_bytes())
    config = json.loads((BASE / "config.json").read_text(encoding="utf-8"))
    config["text_config"]["vocab_size"] = tokenizer.get_vocab_size()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = load_file(BASE / "model.safetensors")
    embedding = weights[EMBEDDING]
    rng = torch.Generator().manual_seed(0)
    new_rows = torch.randn(tokenizer.get_vocab_size() - len(embedding), embedding.shape[1], generator=rng)
    weights[EMBEDDING] = torch.cat([embedding, (NEW_STD * new_rows).to(embedding.dtype)])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    write(Path(sys.argv[1]))
