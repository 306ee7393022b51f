"""Check that a file of a stranger's folder is read within bounds, or refused in one line that names it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from circuitvlm.runtime.folders import run_folder
from circuitvlm.runtime.folders.links import open_new, refuse_links
from circuitvlm.runtime.folders.saved_file import MAX_YAML_BYTES, FolderError, escape, read_json, read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
REFUSED: dict[str, bytes] = {
    "aliases that expand to 9 ** 12 values": LAUGHS.encode(),
    "a merge of an alias": b"base: &b {x: 1}\nother: {<<: *b}\n",
    "an anchor alone": b"a: &b 1\n",
    "a recursive alias": b"a: &a [*a]\n",
    "deep lists": b"a: " + b"[" * 5000 + b"]" * 5000,
    "deep mappings": b"a: " + b"{a: " * 3000 + b"1" + b"}" * 3000,
    "deep indentation": "".join(f"{' ' * n}a:\n" for n in range(500)).encode(),
    "too many values": b"a: [" + b"1, " * 30_000 + b"1]",
    "too many bytes": b"# " + b"x" * MAX_YAML_BYTES,
    "a tag of Python": b"a: !!python/object/apply:os.system ['true']\n",
    "a tag of YAML": b"a: !!binary aGk=\n",
    "a list": b"- 1\n- 2\n",
    "a text": b"hello\n",
    "a number": b"5\n",
    "null": b"null\n",
    "an empty file": b"",
    "a comment": b"# nothing\n",
    "several documents": b"a: 1\n---\nb: 2\n",
    "broken YAML": b"a: [1, 2\n",
    "a tabulator": b"a:\n\tb: 1\n",
    "a key twice": b"a: 1\na: 2\n",
    "a list as a key": b"? [1, 2]\n: x\n",
    "binary": bytes(range(256)),
    "UTF-16": "a: 1\n".encode("utf-16"),
    "Latin-1": "a: é\n".encode("latin-1"),
    "NUL": b"a: \x00\n",
    "an interpolation": b"a: ${b}\nb: 1\n",
    "an environment variable": b"a: ${oc.env:HOME}\n",
    "an environment variable in a text": b"a: 'https://x/?k=${oc.env:HOME}'\n",
    "an environment variable in a list": b"a: {b: [1, '${oc.env:HOME}']}\n",
    "an escaped backslash before it": rb"a: \\${oc.env:HOME}" + b"\n",
    "nested interpolations": b"a: ${oc.env:${b}}\nb: HOME\n",
    "a decoded interpolation": b"a: ${oc.decode:'1'}\n",
    "a missing value": b"a: ???\n",
    "a huge integer": b"a: " + b"9" * 10_000 + b"\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_config_of_a_stranger_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / run_folder.CONFIG_FILE).write_bytes(REFUSED[name])
    start = time.process_time()
    with pytest.raises(FolderError) as error:
        run_folder.read_config(tmp_path)
    assert time.process_time() - start < 20  # an expansion would take hours
    message = str(error.value)
    assert str(tmp_path / run_folder.CONFIG_FILE) in message
    assert "\n" not in message
    assert len(message) < 600 + len(str(tmp_path))


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbfa: 1\n", b"a: 1\n", b"a: 1\r\n", b'{"a": 1}'])
def test_a_plain_config_is_read(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(raw)
    assert read_yaml(tmp_path / "x.yaml") == {"a": 1}


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text("\\${}a.:'\" ,[]#\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "???" not in repr(value))


@given(st.dictionaries(st.text("xyz", min_size=1), PLAIN, max_size=3))
@example({"x": r"\${V_1}$ costs \\${oc.env:HOME}"})
def test_settings_are_read_as_they_were_written(settings: dict[str, Any]) -> None:
    text = run_folder.as_yaml(settings)
    assert OmegaConf.to_container(OmegaConf.create(text), resolve=True) == settings
    assert OmegaConf.to_container(OmegaConf.create(escape(settings)), resolve=True) == settings


def test_what_looks_like_a_reference_is_read_back_as_text(tmp_path: Path) -> None:
    settings = {"prompt": r"\${V_1}$, \\${oc.env:HOME}, ${x}", "list": ["${oc.env:HOME}", {"a": "$ {"}]}
    (tmp_path / "x.yaml").write_text(run_folder.as_yaml(settings))
    assert read_yaml(tmp_path / "x.yaml") == settings


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]", b'"x"', b"\xff", b"[" * 100_000, b'{"a": ' * 50_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_broken_json_is_refused_in_one_line(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(raw)
    with pytest.raises(FolderError, match=r"x\.json") as error:
        read_json(tmp_path / "x.json", dict)
    assert "\n" not in str(error.value)


def test_a_link_out_of_the_folder_is_refused_and_others_are_not(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "replies/test").mkdir(parents=True)
    (run / "inner").symlink_to("replies")
    (tmp_path / "disk").mkdir()
    refuse_links(run)
    (tmp_path / "link").symlink_to(run)
    refuse_links(tmp_path / "link")  # the whole folder on another disk
    for place, target in (
        ("replies/test/replies.0.jsonl", tmp_path / "victim"),
        (".lock", tmp_path / "victim"),
        ("checkpoints", tmp_path / "disk"),
        ("scores.json", Path("../victim")),
        ("dangling", tmp_path / "nowhere"),
    ):
        (run / place).symlink_to(target)
        with pytest.raises(FolderError, match=f"got {place} ->"):
            refuse_links(run)
        (run / place).unlink()
    refuse_links(run)


def test_a_file_is_never_opened_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "victim")
    with open_new(tmp_path / "file") as file:
        file.write("new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "file").read_text() == "new"
    assert not (tmp_path / "file").is_symlink()
