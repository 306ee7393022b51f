"""Is an exported folder the trained model, to whoever loads it with plain transformers?"""

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
from circuitvlm.runtime.folders.run_folder import start
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.export.export import ExportError, export_run
from circuitvlm.training.assemble import Run

CONF = Path(__file__).parents[2] / "conf"
SMALL = [
    "~experiment", "standin=true", "steps=0", "workers=0", "precision=32-true", "validate_items=2",
    "data.circuits.workers=0", "data.circuits.splits.validation.count=2",
    "data.circuits.splits.validation.components=[2,3]",
    "model.cache=${oc.env:CIRCUITVLM_CACHE}", "callback=[]", "logger=csv",
]  # fmt: skip


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRCUITVLM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run_of(folder: Path, *overrides: str) -> Run:
    """A run whose adapter was moved, and saved, without training."""
    cfg = compose([*SMALL, f"folder={folder}", *overrides], config_dir=CONF)
    check(cfg)
    run = Run(cfg, base=cfg)
    start(folder, cfg, base=cfg, fresh=False)
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
        found: torch.Tensor = weights(input_ids=torch.arange(10, 40)[None]).logits.float()
    return found


@pytest.mark.parametrize(
    "overrides", [["adapter=lora"], ["adapter=full", "dropout=constant_none"]], ids=["lora", "full"]
)
def test_the_folder_is_the_trained_model(overrides: list[str], made: Path) -> None:
    run = run_of(made / "run", *overrides)
    assert run.module.net is not None
    out = made / "weights" / "exported"
    export_run(made / "run", out, dtype="float32")
    loaded = Qwen2VLForConditionalGeneration.from_pretrained(out, dtype="auto")
    assert next(loaded.parameters()).dtype == torch.float32
    torch.testing.assert_close(logits(loaded), logits(run.module.net.weights), atol=1e-4, rtol=1e-4)
    names = {file.name for file in out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"} <= names
    assert not [name for name in names if name.startswith("adapter")]
    assert AutoTokenizer.from_pretrained(out).chat_template
    again = Qwen2VL(
        weights=str(out),
        shape=None,
        attention="sdpa",
        gradient_checkpointing=False,
        min_pixels=None,
        max_pixels=None,
        max_tokens=512,
        cache="",
    )
    question = run.data.tasks["netlist"].ask(run.data.questions("validation")[0])
    ours, theirs = (codec.encode(question, reply=True) for codec in (run.data.codec, again.codec()))
    assert torch.equal(ours.tokens_T, theirs.tokens_T)
    assert torch.equal(ours.vision["pixel_values"], theirs.vision["pixel_values"])
    assert [entry.name for entry in out.parent.iterdir()] == ["exported"]  # nothing half-written beside it


def test_the_command_writes_half_the_size_in_bfloat16_over_an_older_model(made: Path) -> None:
    run_of(made / "run", "adapter=lora")
    out = made / "out"
    first = CliRunner().invoke(app, ["export", str(made / "run"), str(out), "--dtype", "float32"])
    assert first.exit_code == 0, first.stderr
    size = (out / "model.safetensors").stat().st_size
    (out / "README.md").write_text("a card")
    (out / "model-00001-of-00002.safetensors").write_text("an old shard")
    second = CliRunner().invoke(app, ["export", str(made / "run" / "adapter"), str(out)])
    assert second.exit_code == 0, second.stderr
    assert "MB, bfloat16" in second.stdout
    assert (out / "model.safetensors").stat().st_size < 0.6 * size
    assert (out / "README.md").read_text() == "a card"
    assert not (out / "model-00001-of-00002.safetensors").exists()


def test_a_quantized_base_is_refused_before_anything_is_loaded(made: Path) -> None:
    cfg = compose([*SMALL, "standin=false", "quantization=nf4", f"folder={made / 'run'}"], config_dir=CONF)
    start(made / "run", cfg, base=cfg, fresh=False)
    done = CliRunner().invoke(app, ["export", str(made / "run"), str(made / "out")])
    assert done.exit_code == 2
    assert "quantized base" in done.stderr
    assert not (made / "out").exists()


def test_a_strangers_folder_is_left_alone(made: Path) -> None:
    (made / "mine").mkdir()
    (made / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportError, match="left alone"):
        export_run(made / "run", made / "mine", dtype="float32")
    assert [file.name for file in (made / "mine").iterdir()] == ["thesis.txt"]


def test_a_run_that_has_not_ended_is_refused(made: Path) -> None:
    cfg = compose([*SMALL, f"folder={made / 'run'}"], config_dir=CONF)
    start(made / "run", cfg, base=cfg, fresh=False)
    with pytest.raises(ExportError, match="has the run ended"):
        export_run(made / "run", made / "out", dtype="bfloat16")


def test_a_lavin_leaves_as_the_two_folders_that_its_family_takes(made: Path) -> None:
    run = run_of(made / "run", "model=lavin_new", "adapter=full", "dropout=constant_none")
    assert run.module.net is not None
    (made / "out" / "llm").mkdir(parents=True)
    (made / "out" / "llm" / "tokenizer.json").write_text("{}")  # its words alone: a model that is to be
    found = export_run(made / "run", made / "out", dtype="float32")
    assert found.changed == 0
    said = {"weights": str(made / "out" / "llm"), "vision": str(made / "out" / "vision"), "shape": None}
    again = instantiate({**run.cfg["model"], **said, "prefix_tokens": 6, "prefix_width": 32})
    ours, theirs = run.module.net.weights, again.build(dtype=torch.float32, quantization=None)
    torch.testing.assert_close(logits(theirs), logits(ours), atol=1e-5, rtol=1e-5)
    ours.eval()
    pictures = torch.rand(2, 3, 56, 56)
    with torch.no_grad():
        torch.testing.assert_close(
            class_tokens(theirs.vision.eval(), pictures, tokens=6), class_tokens(ours.vision, pictures, tokens=6)
        )
    question = run.data.tasks["netlist"].ask(run.data.questions("validation")[0])
    pair = [codec.encode(question, reply=True) for codec in (run.data.codec, again.codec())]
    assert torch.equal(pair[0].tokens_T, pair[1].tokens_T)
    assert torch.equal(pair[0].vision["pixel_values"], pair[1].vision["pixel_values"])
    assert not list(made.glob("out/*/adapter*"))


def test_an_llm_leaves_alone_where_the_encoder_in_front_of_it_was_not_trained(made: Path) -> None:
    run = run_of(
        made / "run", "model=projector_tiny", "adapter=full", "adapter.components=[llm]", "dropout=constant_none"
    )
    assert run.module.net is not None
    export_run(made / "run", made / "out", dtype="float32")
    loaded, told = AutoModelForCausalLM.from_pretrained(made / "out", output_loading_info=True)
    assert not any(told.values()), told
    torch.testing.assert_close(logits(loaded), logits(run.module.net.weights), atol=1e-5, rtol=1e-5)
    assert AutoTokenizer.from_pretrained(made / "out").chat_template


def test_an_llm_does_not_leave_without_an_encoder_that_was_trained(made: Path) -> None:
    run_of(made / "run", "model=projector_tiny", "adapter=full", "dropout=constant_none")
    with pytest.raises(ExportError, match="encoder"):
        export_run(made / "run", made / "out", dtype="float32")
