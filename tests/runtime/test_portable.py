"""Check that a saved config has no secret of the environment, no cache of this machine, and plain names alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.config.value_check import faults
from circuitvlm.runtime.folders.portable import local_settings, portable_settings, unresolved_yaml
from circuitvlm.runtime.folders.run_folder import prepare, read_config, run_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret${oc.env:HOME}")
    monkeypatch.setenv("TASK", "17")
    monkeypatch.delenv("NOTHING", raising=False)


def test_a_text_from_the_environment_is_not_saved_wherever_it_is_used() -> None:
    cfg = OmegaConf.create(
        {
            "token": "${oc.env:TOKEN}",
            "other": "${token}",
            "url": "https://x/?k=${oc.env:TOKEN}",
            "list": [{"a": "${section.token}"}],
            "section": {"token": "${oc.env:TOKEN}"},
            "seed": "${oc.env:TASK}",
            "default": "${oc.env:NOTHING,plain}",
            "text": "\\${oc.env:TOKEN}",
        }
    )
    hidden = "<from environment TOKEN>"
    assert portable_settings(cfg) == {
        "token": hidden,
        "other": hidden,
        "url": f"https://x/?k={hidden}",
        "list": [{"a": hidden}],
        "section": {"token": hidden},
        "seed": "17",
        "default": "plain",
        "text": "${oc.env:TOKEN}",
    }
    assert cfg.token == "s3cret${oc.env:HOME}", "the resolver is the usual one again"
    text = unresolved_yaml(cfg)
    assert "s3cret" not in text
    assert OmegaConf.to_container(OmegaConf.create(text), resolve=True) == OmegaConf.to_container(cfg, resolve=True)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(OmegaConfBaseException, match="NOTHING"):
        portable_settings(OmegaConf.create({"a": "${oc.env:NOTHING}"}))


def test_the_folder_of_a_run_depends_on_a_secret_and_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = compose(["~experiment"], config_dir=ROOT / "conf")
    cfg = compose(["~experiment", "model.weights=${oc.env:TOKEN}", f"runs={tmp_path}"], config_dir=ROOT / "conf")
    first = run_folder(cfg, base)
    assert "s3cret" not in str(first)
    assert first == run_folder(cfg, base)
    prepare(first, cfg, base=base, overwrite=False)
    prepare(first, cfg, base=base, overwrite=False)  # a resume
    assert read_config(first)["model"]["weights"] == "<from environment TOKEN>"
    assert not any("s3cret" in path.read_text() for path in first.iterdir())
    monkeypatch.setenv("TOKEN", "another")
    assert run_folder(cfg, base) != first


def test_a_value_that_was_not_saved_has_to_be_given_again() -> None:
    roots = [{"x": "<from environment T>"}]
    plain = {"model": {"weights": "<from environment TOKEN>"}, "data": {"a": {"roots": roots}}}
    assert [fault.partition(":")[0] for fault in faults(plain)] == ["model.weights", "data.a.roots[0].x"]
    assert "'model.weights=${oc.env:TOKEN}'" in next(faults(plain))


def test_caches_are_those_of_the_machine_that_opens_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["~experiment", "data=[circuits,digits_mnist]", "data.circuits.cache=/home/me/x"]
    saved = portable_settings(compose(words, config_dir=ROOT / "conf"))
    assert [section["cache"] for section in (saved["model"], *saved["data"].values())] == [None, None, None]
    monkeypatch.setenv("CIRCUITVLM_CACHE", "/disk")
    local = local_settings(saved)
    assert local["model"]["cache"] == "/disk"
    assert local["data"]["circuits"]["cache"] == "/disk/circuits"
    assert local["data"]["digits_mnist"]["cache"] == "/disk/digits"
    assert portable_settings(local) == saved
    for target in ("circuitvlm.data.../../etc.X", "circuitvlm.data./etc.X", "/etc", 5):
        assert local_settings({"data": {"a": {"cache": "/etc", "_target_": target}}})["data"]["a"]["cache"] == "/disk"


HOSTILE = [
    *(
        "../x",
        "..",
        "/etc/x",
        "a/b",
        "a\\b",
        "",
        " a",
        "a b",
        ".hidden",
        "a\n",
        "a\x00",
        "\u202ea",
        "é",
        "x" * 101,
        "-a",
    )
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_no_plain_file_name_is_refused_wherever_it_becomes_a_path(name: str) -> None:
    for plain in (
        {"eval_splits": ["test", name]},
        {"splits": [name]},
        {"data": {name: {}}},
        {"data": {"circuits": {"splits": {name: {}}}}},
        {"tasks": {name: {}}},
        {"baselines": {name: []}},
        {"logger": {name: {}}},
        {"callback": {name: {}}},
        {"name": name},
    ):
        (fault,) = faults(plain)
        assert "expected the name of a folder" in fault
        assert len(fault) < 300
        assert "\n" not in fault


def test_plain_names_are_accepted() -> None:
    names = ["test_seen", "a.b-c", "0", "Test2"]
    assert list(faults({"eval_splits": names, "data": {name: {"splits": {name: None}} for name in names}})) == []
