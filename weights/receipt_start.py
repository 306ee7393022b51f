"""Where do the receipts' models begin? With circuit-tiny's weights, and tokens for what receipts say.

    python weights/receipt_start.py runs/receipt_start

A key of the JSON text is one token, and so is each piece of a ware's name that the generator knows; prices are read
figure by figure. Letters keep the tokens that circuit-tiny knows, so any other text can be written, too.
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

from circuitvlm.data.receipts.words import ADDED, NOTES, WARES

BASE = Path(__file__).parent / "circuit-tiny"
EMBEDDING = "model.embed_tokens.weight"
NEW = 0.05
"""The standard deviation of new tokens' weights: a quarter of what learned ones have."""
COPIED = ("chat_template.jinja", "generation_config.json", "preprocessor_config.json", "tokenizer_config.json")

ABOVE = ("menu", "void_menu", "sub_total", "total")
FIELDS = (
    "nm", "num", "unitprice", "cnt", "discountprice", "price", "itemsubtotal", "vatyn", "etc", "subtotal_price",
    "discount_price", "service_price", "othersvc_price", "tax_price", "total_price", "cashprice", "changeprice",
    "creditcardprice", "emoneyprice", "menutype_cnt", "menuqty_cnt",
)  # fmt: skip
AMOUNTS = (".000", ",000", ".500", ",500", ".00", "Rp ", "IDR ", "RM ", " EUR", ",-", "£", "¥")


def tokens() -> list[str]:
    """What is one token beside the letters: JSON's keys with the signs around them, names' pieces, ends of amounts."""
    keys = [f'{sign}"{key}":' for key in ABOVE for sign in ("{", ",")]
    keys += [f'{sign}"{key}":"' for key in FIELDS for sign in ("{", '",')]
    keys += ['","sub":', '","sub":[', '"},{"nm":"', '"}', '"}}', '"}]', '"}}}', '"}]}', '[{"nm":"']
    pieces = [text for shop in WARES.values() for name in shop for words in name for text in words]
    pieces += [*ADDED, *NOTES]
    return list(dict.fromkeys([*keys, *AMOUNTS, *_more_than_a_letter(pieces)]))


def _more_than_a_letter(pieces: Iterable[str]) -> list[str]:
    return [text for piece in pieces for text in (piece, piece.upper()) if len(text) > 1]


def extended(tokenizer: Path, more: list[str]) -> Tokenizer:
    """The base's tokenizer, whose letters keep their numbers; of what fits, the longest token is taken."""
    said = json.loads(tokenizer.read_text(encoding="utf-8"))
    vocabulary = said["model"]["vocab"]
    for text in more:
        vocabulary.setdefault(text, len(vocabulary))
    made = Tokenizer.from_str(json.dumps(said))
    longest = "|".join(re.escape(text) for text in sorted(more, key=len, reverse=True))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{longest}|[\s\S]"), behavior="isolated")
    return made


def write(folder: Path) -> None:
    """The folder of a model that has not learned its new tokens yet; their weights are random, with a fixed seed."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = extended(BASE / "tokenizer.json", tokens())
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in COPIED:
        (folder / name).write_bytes((BASE / name).read_bytes())
    config = json.loads((BASE / "config.json").read_text(encoding="utf-8"))
    config["text_config"]["vocab_size"] = tokenizer.get_vocab_size()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = load_file(BASE / "model.safetensors")
    known = weights[EMBEDDING]
    rng = torch.Generator().manual_seed(0)
    new = torch.randn(tokenizer.get_vocab_size() - len(known), known.shape[1], generator=rng)
    weights[EMBEDDING] = torch.cat([known, (NEW * new).to(known.dtype)])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    write(Path(sys.argv[1]))
