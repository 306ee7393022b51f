"""Test that a merged model equals the trained one, also with a quantized base, and that its drift is measured."""

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
from circuitvlm.serving.export.merge import Drift, measure_drift
from circuitvlm.training.assemble import Run

Make = Callable[..., Run]


def logits(weights: Any) -> torch.Tensor:
    weights.eval()
    with torch.no_grad():
        values: torch.Tensor = weights(input_ids=torch.arange(10, 40)[None]).logits.float()
    return values


@pytest.mark.parametrize(("quantization", "tolerance"), [("nf4_float32", 1e-3), ("int8", 0.05)])
def test_a_quantized_base_is_given_its_numbers_back_and_merged(
    quantization: str, tolerance: float, moved_run: Make, tmp_path: Path
) -> None:
    run = moved_run("smoke_test=true", "adapter=lora", f"quantization={quantization}")
    assert run.module.net is not None
    weights: Any = run.module.net.weights
    with weights.disable_adapter():
        base_logits = logits(weights)
    expected_logits = logits(weights)
    assert (expected_logits - base_logits).abs().max() > 2 * tolerance, (
        "the adapter must be seen for this test to tell anything"
    )
    drift = export_run(tmp_path / "run", tmp_path / "out", dtype="float32", dequantize=True)
    exported_model = Qwen2VLForConditionalGeneration.from_pretrained(tmp_path / "out", dtype="auto")
    assert {p.dtype for p in exported_model.parameters()} == {torch.float32}
    assert not getattr(exported_model, "is_quantized", False)
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    torch.testing.assert_close(logits(exported_model), expected_logits, atol=tolerance, rtol=0)
    assert drift.largest < tolerance
    assert drift.questions == 3
    assert drift.tokens > 30


def test_the_drift_of_a_plain_base_is_that_of_rounding(moved_run: Make, tmp_path: Path) -> None:
    moved_run("smoke_test=true", "adapter=lora")
    exact_drift = export_run(tmp_path / "run", tmp_path / "exact", dtype="float32")
    rounded_drift = export_run(tmp_path / "run", tmp_path / "rounded", dtype="bfloat16")
    assert exact_drift.largest < 1e-4
    assert exact_drift.changed_tokens == 0
    assert exact_drift.largest < rounded_drift.largest < 0.1


def test_drift_counts_what_differs() -> None:
    first_logits = [torch.tensor([[1.0, 2.0], [0.0, 5.0]]), torch.tensor([[3.0, 1.0]])]
    second_logits = [torch.tensor([[1.0, 2.5], [5.5, 5.0]]), torch.tensor([[3.0, 1.0]])]
    assert measure_drift(first_logits, second_logits) == Drift(
        questions=2, tokens=3, largest=5.5, mean=1.0, changed_tokens=1
    )
    assert measure_drift([], []) == Drift(questions=0, tokens=0, largest=0.0, mean=0.0, changed_tokens=0)


def test_merge_is_export_and_says_how_the_answers_differ(moved_run: Make, tmp_path: Path) -> None:
    moved_run("smoke_test=true", "adapter=lora", "quantization=nf4_float32")
    words = [str(tmp_path / "run"), str(tmp_path / "out"), "--dtype", "float32"]
    error_result = CliRunner().invoke(app, ["merge", *words])
    assert error_result.exit_code == 2
    assert "--dequantize" in error_result.stderr
    assert not (tmp_path / "out").exists()
    for command in ("merge", "export"):
        result = CliRunner().invoke(app, [command, *words, "--dequantize"])
        assert result.exit_code == 0, result.stderr
        assert "the likeliest token differs at 0 of" in result.stdout
    assert json.loads((tmp_path / "out" / "circuitvlm.json").read_text())["prompt"] == "Netlist?"


def test_a_run_whose_data_are_gone_is_compared_on_a_generated_circuit(
    moved_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_run("smoke_test=true", "adapter=lora")

    def missing_data(self: Circuits, split: str) -> None:
        raise FileNotFoundError("the data are on another machine")

    monkeypatch.setattr(Circuits, "examples", missing_data)
    drift = export_run(tmp_path / "run", tmp_path / "out", dtype="float32")
    assert (drift.questions, drift.largest < 1e-4) == (1, True)


def test_a_run_without_an_adapter_is_refused_also_with_dequantize(moved_run: Make, tmp_path: Path) -> None:
    moved_run("smoke_test=true", "adapter=lora", "quantization=nf4_float32")
    for file in (tmp_path / "run" / "adapter").iterdir():
        file.unlink()
    (tmp_path / "run" / "adapter").rmdir()
    with pytest.raises(ExportError, match="has the run finished"):
        export_run(tmp_path / "run", tmp_path / "out", dtype="bfloat16", dequantize=True)
