"""Test that an exported folder, loaded with plain transformers, is the trained model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2VLForConditionalGeneration
from typer.testing import CliRunner

from circuitvlm.model.lavin.network import class_tokens
from circuitvlm.model.qwen2_vl import Qwen2VL
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.check import check
from circuitvlm.runtime.config.compose import compose
from circuitvlm.runtime.folders.run_folder import prepare
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.export.export import ExportError, export_run
from circuitvlm.training.assemble import Run

CONF = Path(__file__).parents[2] / "conf"
SMALL = [
    "~experiment", "smoke_test=true", "max_steps=0", "num_workers=0", "precision=32-true", "validate_items=2",
    "data.circuits.num_workers=0", "data.circuits.splits.validation.count=2",
    "data.circuits.splits.validation.components=[2,3]",
    "model.cache=${oc.env:CIRCUITVLM_CACHE}", "callback=[]", "logger=csv",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run_of(folder: Path, *overrides: str) -> Run:
    """A run whose adapter is changed at random and saved, without training."""
    cfg = compose([*SMALL, f"folder={folder}", *overrides], config_dir=CONF)
    check(cfg)
    run = Run(cfg, base=cfg)
    prepare(folder, cfg, base=cfg, overwrite=False)
    run.module.configure_model()
    assert run.module.net is not None
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in run.module.net.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    run.save(folder / "adapter")
    return run


def logits(weights: torch.nn.Module) -> torch.Tensor:
    weights.eval()
    with torch.no_grad():
        values: torch.Tensor = weights(input_ids=torch.arange(10, 40)[None]).logits.float()
    return values


@pytest.mark.parametrize(
    "overrides",
    [
        ["adapter=lora"],
        ["adapter=lora", "+adapter.targets.head=all"],
        ["adapter=ia3", "dropout=constant_none", "+adapter.outputs.head=all"],
        ["adapter=full", "dropout=constant_none"],
    ],
    ids=["lora", "lora_of_a_tied_head", "ia3_of_a_tied_head", "full"],
)
def test_the_folder_is_the_trained_model(overrides: list[str], folder: Path) -> None:
    run = run_of(folder / "run", *overrides)
    assert run.module.net is not None
    target = folder / "weights" / "exported"
    export_run(folder / "run", target, dtype="float32")
    exported_model = Qwen2VLForConditionalGeneration.from_pretrained(target, dtype="auto")
    assert next(exported_model.parameters()).dtype == torch.float32
    torch.testing.assert_close(logits(exported_model), logits(run.module.net.weights), atol=1e-4, rtol=1e-4)
    names = {file.name for file in target.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"} <= names
    assert not [name for name in names if name.startswith("adapter")]
    assert AutoTokenizer.from_pretrained(target).chat_template
    again = Qwen2VL(
        weights=str(target),
        shape=None,
        attention="sdpa",
        gradient_checkpointing=False,
        min_pixels=None,
        max_pixels=None,
        max_tokens=512,
        reply_tokens=64,
        cache="",
    )
    question = run.data.tasks["netlist"].ask(run.data.questions("validation")[0])
    pair = [codec.encode(question, reply=True) for codec in (run.data.codec, again.codec())]
    assert torch.equal(pair[0].tokens_T, pair[1].tokens_T)
    assert torch.equal(pair[0].vision["pixel_values"], pair[1].vision["pixel_values"])
    assert [entry.name for entry in target.parent.iterdir()] == ["exported"]  # nothing half-written beside it


def test_the_command_writes_half_the_size_in_bfloat16_over_an_older_model(folder: Path) -> None:
    run_of(folder / "run", "adapter=lora")
    target = folder / "out"
    first = CliRunner().invoke(app, ["export", str(folder / "run"), str(target), "--dtype", "float32"])
    assert first.exit_code == 0, first.stderr
    size = (target / "model.safetensors").stat().st_size
    (target / "README.md").write_text("a card")
    (target / "model-00001-of-00002.safetensors").write_text("an old shard")
    second = CliRunner().invoke(app, ["export", str(folder / "run" / "adapter"), str(target)])
    assert second.exit_code == 0, second.stderr
    assert "MB, bfloat16" in second.stdout
    assert (target / "model.safetensors").stat().st_size < 0.6 * size
    assert (target / "README.md").read_text() == "a card"
    assert not (target / "model-00001-of-00002.safetensors").exists()


def test_a_quantized_base_is_refused_before_anything_is_loaded(folder: Path) -> None:
    cfg = compose([*SMALL, "smoke_test=false", "quantization=nf4", f"folder={folder / 'run'}"], config_dir=CONF)
    prepare(folder / "run", cfg, base=cfg, overwrite=False)
    result = CliRunner().invoke(app, ["export", str(folder / "run"), str(folder / "out")])
    assert result.exit_code == 2
    assert "quantized base" in result.stderr
    assert not (folder / "out").exists()


def test_a_strangers_folder_is_left_alone(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportError, match="got other files"):
        export_run(folder / "run", folder / "mine", dtype="float32")
    assert [file.name for file in (folder / "mine").iterdir()] == ["thesis.txt"]


def test_a_run_that_has_not_ended_is_refused(folder: Path) -> None:
    cfg = compose([*SMALL, f"folder={folder / 'run'}"], config_dir=CONF)
    prepare(folder / "run", cfg, base=cfg, overwrite=False)
    with pytest.raises(ExportError, match="has the run finished"):
        export_run(folder / "run", folder / "out", dtype="bfloat16")


def test_a_lavin_leaves_as_the_two_folders_that_its_family_takes(folder: Path) -> None:
    run = run_of(folder / "run", "model=lavin_new", "adapter=full", "dropout=constant_none")
    assert run.module.net is not None
    (folder / "out" / "llm").mkdir(parents=True)
    (folder / "out" / "llm" / "tokenizer.json").write_text("{}")  # its words alone: a model that is to be
    drift = export_run(folder / "run", folder / "out", dtype="float32")
    assert drift.changed_tokens == 0
    settings = {"weights": str(folder / "out" / "llm"), "vision": str(folder / "out" / "vision"), "shape": None}
    again = instantiate({**run.cfg["model"], **settings, "prefix_tokens": 6, "prefix_width": 32})
    weights, exported_weights = run.module.net.weights, again.build(dtype=torch.float32, quantization=None)
    torch.testing.assert_close(logits(exported_weights), logits(weights), atol=1e-5, rtol=1e-5)
    weights.eval()
    pictures = torch.rand(2, 3, 56, 56)
    with torch.no_grad():
        torch.testing.assert_close(
            class_tokens(exported_weights.vision.eval(), pictures, tokens=6),
            class_tokens(weights.vision, pictures, tokens=6),
        )
    question = run.data.tasks["netlist"].ask(run.data.questions("validation")[0])
    pair = [codec.encode(question, reply=True) for codec in (run.data.codec, again.codec())]
    assert torch.equal(pair[0].tokens_T, pair[1].tokens_T)
    assert torch.equal(pair[0].vision["pixel_values"], pair[1].vision["pixel_values"])
    assert not list(folder.glob("out/*/adapter*"))


def test_an_llm_leaves_alone_where_the_encoder_in_front_of_it_was_not_trained(folder: Path) -> None:
    run = run_of(
        folder / "run", "model=projector_tiny", "adapter=full", "adapter.components=[llm]", "dropout=constant_none"
    )
    assert run.module.net is not None
    export_run(folder / "run", folder / "out", dtype="float32")
    exported_model, loading_info = AutoModelForCausalLM.from_pretrained(folder / "out", output_loading_info=True)
    assert not any(loading_info.values()), loading_info
    torch.testing.assert_close(logits(exported_model), logits(run.module.net.weights), atol=1e-5, rtol=1e-5)
    assert AutoTokenizer.from_pretrained(folder / "out").chat_template


def test_an_llm_does_not_leave_without_an_encoder_that_was_trained(folder: Path) -> None:
    run_of(folder / "run", "model=projector_tiny", "adapter=full", "dropout=constant_none")
    with pytest.raises(ExportError, match="encoder"):
        export_run(folder / "run", folder / "out", dtype="float32")
