"""Is what `merge` writes the model that was trained, also where its base was quantized, and does it say how nearly?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen2VLForConditionalGeneration
from typer.testing import CliRunner

from circuitvlm.data.circuits import Circuits
from circuitvlm.serving.cli.app import app
from circuitvlm.serving.export.export import ExportError, export_run
from circuitvlm.serving.export.merge import Drift, drift
from circuitvlm.training.assemble import Run

Make = Callable[..., Run]


def logits(weights: Any) -> torch.Tensor:
    weights.eval()
    with torch.no_grad():
        found: torch.Tensor = weights(input_ids=torch.arange(10, 40)[None]).logits.float()
    return found


@pytest.mark.parametrize(("quantization", "near"), [("nf4_float32", 1e-3), ("int8", 0.05)])
def test_a_quantized_base_is_given_its_numbers_back_and_merged(
    quantization: str, near: float, moved_run: Make, tmp_path: Path
) -> None:
    run = moved_run("standin=true", "adapter=lora", f"quantization={quantization}")
    assert run.module.net is not None
    weights: Any = run.module.net.weights
    with weights.disable_adapter():
        without = logits(weights)
    trained = logits(weights)
    assert (trained - without).abs().max() > 2 * near, "the adapter must be seen for this test to tell anything"
    found = export_run(tmp_path / "run", tmp_path / "out", dtype="float32", dequantize=True)
    loaded = Qwen2VLForConditionalGeneration.from_pretrained(tmp_path / "out", dtype="auto")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert not getattr(loaded, "is_quantized", False)
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    torch.testing.assert_close(logits(loaded), trained, atol=near, rtol=0)
    assert found.largest < near
    assert found.questions == 3
    assert found.tokens > 30


def test_the_drift_of_a_plain_base_is_that_of_rounding(moved_run: Make, tmp_path: Path) -> None:
    moved_run("standin=true", "adapter=lora")
    exact = export_run(tmp_path / "run", tmp_path / "exact", dtype="float32")
    rounded = export_run(tmp_path / "run", tmp_path / "rounded", dtype="bfloat16")
    assert exact.largest < 1e-4
    assert exact.changed == 0
    assert exact.largest < rounded.largest < 0.1


def test_drift_counts_what_differs() -> None:
    before = [torch.tensor([[1.0, 2.0], [0.0, 5.0]]), torch.tensor([[3.0, 1.0]])]
    after = [torch.tensor([[1.0, 2.5], [5.5, 5.0]]), torch.tensor([[3.0, 1.0]])]
    assert drift(before, after) == Drift(questions=2, tokens=3, largest=5.5, mean=1.0, changed=1)
    assert drift([], []) == Drift(questions=0, tokens=0, largest=0.0, mean=0.0, changed=0)


def test_merge_is_export_and_says_how_the_answers_differ(moved_run: Make, tmp_path: Path) -> None:
    moved_run("standin=true", "adapter=lora", "quantization=nf4_float32")
    words = [str(tmp_path / "run"), str(tmp_path / "out"), "--dtype", "float32"]
    refused = CliRunner().invoke(app, ["merge", *words])
    assert refused.exit_code == 2
    assert "--dequantize" in refused.stderr
    assert not (tmp_path / "out").exists()
    for command in ("merge", "export"):
        done = CliRunner().invoke(app, [command, *words, "--dequantize"])
        assert done.exit_code == 0, done.stderr
        assert "the likeliest token is another at 0 of" in done.stdout
    assert json.loads((tmp_path / "out" / "circuitvlm.json").read_text())["prompt"] == "Netlist?"


def test_a_run_whose_data_are_gone_is_compared_on_a_generated_circuit(
    moved_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_run("standin=true", "adapter=lora")

    def gone(self: Circuits, split: str) -> None:
        raise FileNotFoundError("the data are on another machine")

    monkeypatch.setattr(Circuits, "examples", gone)
    found = export_run(tmp_path / "run", tmp_path / "out", dtype="float32")
    assert (found.questions, found.largest < 1e-4) == (1, True)


def test_a_run_without_an_adapter_is_refused_also_with_dequantize(moved_run: Make, tmp_path: Path) -> None:
    moved_run("standin=true", "adapter=lora", "quantization=nf4_float32")
    for file in (tmp_path / "run" / "adapter").iterdir():
        file.unlink()
    (tmp_path / "run" / "adapter").rmdir()
    with pytest.raises(ExportError, match="has the run ended"):
        export_run(tmp_path / "run", tmp_path / "out", dtype="bfloat16", dequantize=True)
