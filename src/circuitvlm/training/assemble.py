"""Where does a config become a run? The only place that turns sections of a config into parts and lets them meet."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig, OmegaConf

from circuitvlm.core.contract import Model, Source, Task
from circuitvlm.core.record import Example
from circuitvlm.report.grade import Grades, grade
from circuitvlm.runtime import seed
from circuitvlm.runtime.config.allow_list import instantiate
from circuitvlm.runtime.config.check import ConfigError, check
from circuitvlm.runtime.folders import provenance
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.learning_rate import REFERENCE, scaled
from circuitvlm.runtime.progress import rank
from circuitvlm.training import preflight
from circuitvlm.training.batches.data_module import TRAIN, VALIDATION, Asked, Data, Questions, Window
from circuitvlm.training.batches.unreadable_images import Unread
from circuitvlm.training.callback.dropout_profile import dropouts, stacks_of
from circuitvlm.training.checkpoint import random_state, saved
from circuitvlm.training.checkpoint.checkpoint import Checkpoint
from circuitvlm.training.checkpoint.validations import Validated
from circuitvlm.training.failure import Guard
from circuitvlm.training.module import Module
from circuitvlm.training.replies import read_replies
from circuitvlm.training.smoke_test import small
from circuitvlm.training.task_selection import chosen

log = logging.getLogger(__name__)

DTYPES = {
    "32-true": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
}


class Run:
    """One run by its checked config: its folder, its parts, and the three things it does: train, evaluate, compare."""

    def __init__(self, cfg: DictConfig, *, base: DictConfig, task_type: str | None = None) -> None:
        self.folder = folders.run_folder(cfg, base)
        self.base = base
        self.task_type = task_type
        self.settings = _plain(cfg)
        made = small(self.settings) if cfg.standin else self.settings
        rate = scaled(made["optimizer"], blr=made["blr"], global_batch=made["global_batch"])
        self.cfg = {**made, "optimizer": rate}

    @cached_property
    def sources(self) -> dict[str, Source]:
        sources: dict[str, Source] = instantiate(self.cfg["data"])
        return sources

    @cached_property
    def tasks(self) -> dict[str, Task]:
        tasks: dict[str, Task] = instantiate(self.cfg["tasks"])
        return chosen(tasks, answering=self.cfg["answering"], task_type=self.task_type)

    @cached_property
    def model(self) -> Model:
        model: Model = instantiate(self.cfg["model"])
        return model.standin() if self.cfg["standin"] else model

    @cached_property
    def data(self) -> Data:
        return Data(
            sources=self.sources,
            tasks=self.tasks,
            codec=self.model.codec(),
            collate=instantiate(self.cfg["collate"]),
            objective=instantiate(self.cfg["objective"]),
            window=Window(
                seed=seed.stream(self.cfg["seed"], "sampler"),
                steps=self.steps,
                global_batch=self.cfg["global_batch"],
                micro_batch=self.cfg["micro_batch"],
            ),
            shares=self.cfg["shares"],
            predict_batch=self.cfg["predict_batch"],
            validate_items=self.cfg["validate_items"],
            workers=self.cfg["workers"],
            unread=Unread(self.folder, most=self.cfg["bad_images"]),
        )

    @cached_property
    def steps(self) -> int:
        if self.cfg["steps"] is not None:
            return int(self.cfg["steps"])
        questions = Questions(self.sources, self.tasks, TRAIN, limit=None)
        return math.ceil(float(self.cfg["epochs"]) * len(questions) / int(self.cfg["global_batch"]))

    @cached_property
    def validates(self) -> bool:
        """Whether anything is validated while training: not where no source states a split for it."""
        return self.cfg["steps"] != 0 and any(VALIDATION in source.splits() for source in self.sources.values())

    @cached_property
    def module(self) -> Module:
        cfg = self.cfg
        adapter = instantiate(cfg["adapter"])
        validated: Iterable[Example] = ()
        if self.validates:
            validated = self.data.questions(VALIDATION, limit=cfg["validate_items"])
        return Module(
            model=self.model,
            codec=self.data.codec,
            adapter=adapter,
            dropout=instantiate(cfg["dropout"]),
            objective=self.data.objective,
            optimizer=instantiate(cfg["optimizer"]),
            schedule=instantiate(cfg["schedule"]),
            tasks=self.tasks,
            truths={example.id: example for example in validated},
            quantization=instantiate(cfg["quantization"]) if cfg["quantization"] else None,
            dtype=torch.float32 if adapter.trains_base else DTYPES[cfg["precision"]],
            seed=seed.stream(cfg["seed"], "weights"),
            lr_scale=cfg["lr_scale"],
            max_new_tokens=cfg["max_new_tokens"],
            steps=self.steps,
            log_every=cfg["log_every"],
            adapter_folder=_adapter_folder(cfg["init_adapter"]) if cfg["init_adapter"] else None,
        )

    @cached_property
    def trainer(self) -> Trainer:
        cfg = self.cfg
        trained_by = int(cfg["micro_batch"]) * _world(cfg["trainer"])
        own: list[Callback] = [Guard(self.folder, settings=cfg), Validated()]
        callbacks = [*own, *instantiate(cfg["callback"]).values()]
        if cfg["minutes"] is not None:
            callbacks.append(Timer(duration={"seconds": 60 * cfg["minutes"]}))
        callbacks.append(self._checkpoint())  # the last: what it saves, the others have seen
        accumulation = max(1, cfg["global_batch"] // trained_by)
        settings = {
            "max_steps": self.steps,
            "max_epochs": -1,
            "accumulate_grad_batches": accumulation,
            "val_check_interval": min(cfg["validate_every"], max(self.steps, 1)) * accumulation,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "limit_val_batches": 1.0 if self.validates else 0,
            "gradient_clip_val": cfg["clip"],
            "precision": cfg["precision"],
            "log_every_n_steps": cfg["log_every"],
            "callbacks": callbacks,
            "logger": list(instantiate(_logger_sections(cfg["logger"], self.folder)).values()),
            "default_root_dir": str(self.folder),
            "enable_checkpointing": False,
            "use_distributed_sampler": False,
        }
        try:
            trainer: Trainer = instantiate(cfg["trainer"], **settings)
        except MisconfigurationException as error:
            raise ConfigError([f"trainer: {error} On a machine without a GPU: trainer=cpu"]) from error
        return trainer

    def _checkpoint(self) -> Checkpoint:
        every, keep, best = (self.cfg[f"checkpoint_{key}"] for key in ("every", "keep", "best"))
        return Checkpoint(self.folder, every=every, keep=keep, best=best, save_adapter=self.save)

    def refuse_unfit(self) -> None:
        """Raise ConfigError for what only the parts can tell, now and not after the training.

        That is a misspelt component or split, shares that cannot be kept, a callback that goes by a validation where
        there is none.
        """
        if odd := list(preflight.faults(self.cfg, self.sources, self.tasks, model=self.model)):
            raise ConfigError(odd)

    def train(self) -> None:
        """Train from where the folder's last checkpoint stands to the end, and save the adapter's folder."""
        self.refuse_unfit()
        self._tell()
        seed.seed_plain(self.cfg["seed"])
        torch.manual_seed(seed.stream(self.cfg["seed"], "training", rank()))
        random_state.repeatable()
        if self.steps:
            last = None if self.cfg["fresh"] else saved.newest(self.folder)
            if last:
                log.info("going on from step %d: %s", last.step, last.path)
            resume = str(last.state) if last else None
            for logger in self.trainer.loggers:
                logger.log_hyperparams(self.settings)
            self.trainer.fit(self.module, datamodule=self.data, ckpt_path=resume, weights_only=True)
            self.save(self.folder / "adapter")

    def _tell(self) -> None:
        """What was decided for the run without its stating it."""
        if not self.steps:
            return
        if (blr := self.cfg["blr"]) is not None:
            lr, batch = self.cfg["optimizer"]["lr"], self.cfg["global_batch"]
            log.info("optimizer.lr: blr %g x global_batch %d / %d = %g", blr, batch, REFERENCE, lr)
        for silence in preflight.silences(self.cfg, self.sources):
            log.info("%s", silence)

    def save(self, folder: Path) -> None:
        """A folder that plain peft and transformers load: adapter, tokenizer, processor and chat template."""
        assert self.module.net is not None, "training builds the net"
        self.module.adapter.save(self.module.net.weights, folder)
        if rank() == 0:
            self.data.codec.save(folder)
            folders.write_atomic(folder / folders.CONFIG, folders.as_yaml(self.settings))
            provenance.copy(self.folder, folder)

    def evaluate(
        self, splits: Sequence[str], *, items: int | None, out: Path, shuffle_images: bool = False
    ) -> dict[str, Grades]:
        """Generate replies for each split into `out`, then grade them from there."""
        grades = {}
        for split in splits:
            self.data.asked, self.module.replies_folder = Asked(split, items, shuffle_images), out / split
            self.trainer.predict(self.module, datamodule=self.data, return_predictions=False)
            self.trainer.strategy.barrier("replies")
            grades[split] = self.regrade(split, items=items, out=out)
        return grades

    def regrade(self, split: str, *, items: int | None, out: Path) -> Grades:
        """Grade the replies that lie in `out`, without a model."""
        questions = self.data.questions(split, limit=items)
        grades = grade(questions, read_replies(out / split), self.tasks, label=split)
        if rank() == 0:
            grades.save(out / split / "scores.json")
        return grades

    def let_go(self) -> None:
        """Give the model's memory back; what is asked for again is built again."""
        for part in ("module", "trainer", "data"):  # all three hold the net
            self.__dict__.pop(part, None)

    def summary(self) -> dict[str, Any]:
        """What was trained, for how long, and on how much."""
        count = sum(_numel(p) for p in self.module.parameters() if p.requires_grad)
        # a 4-bit weight is stored two to a byte
        total = sum(_numel(p) * (2 if type(p).__name__ == "Params4bit" else 1) for p in self.module.parameters())
        return {
            "minutes": round(self.module.seconds / 60, 3),
            "steps": self.trainer.global_step,
            "samples": self.trainer.global_step * self.cfg["global_batch"],
            "unread_images": len(self.data.unread.found),
            "trainable_parameters": count,
            "parameters": total,
            "cpu_threads": torch.get_num_threads(),
            "dropout": self._dropout(),
        }

    def _dropout(self) -> dict[str, list[tuple[int, float]]]:
        """Stack -> (block, probability), of what the adapter really has."""
        assert self.module.net is not None, "training builds the net"
        return {stack.name: list(stack.pairs) for stack in stacks_of(dropouts(self.module.net.weights), self.model)}


def trained_run(path: Path, *, changes: Mapping[str, Any], task_type: str | None = None, adapted: bool = True) -> Run:
    """A finished run, by its folder or its adapter's, that will load its adapter and not train; or, not `adapted`, as
    it was before it was trained.

    `changes` are merged over its config; whole sources and tasks take the place of its own. `task_type` keeps the tasks
    about equations, or those of other questions (qa).
    """
    adapter = _adapter_folder(str(path))
    older: dict[str, Any] = {"answering": "both", "blr": None, "shares": {}, "checkpoint_keep": 1}  # then not said
    older |= {"checkpoint_best": None, "bad_images": 0}
    own = older | _plain(folders.read_config(adapter))
    if own["objective"] == {"_target_": "circuitvlm.objective.reply.Reply"}:
        own["objective"]["mean"] = "token"  # as it was when nothing else could be said
    if own["blr"] is not None:
        own["optimizer"]["lr"] = None  # older runs may state both, of which this one counted
    for key in ("data", "tasks"):
        if any("_target_" in section for section in changes.get(key, {}).values()):
            own[key] = {}
    cfg = OmegaConf.merge(own, changes)
    assert isinstance(cfg, DictConfig), "a run's config is a mapping"
    cfg.update(steps=0, epochs=None, minutes=None, fresh=False, folder=str(path))
    if adapted:
        cfg.update(init_adapter=str(adapter))
    cfg.update(controls=None, logger={}, callback={})  # grading adds nothing to the run's curves
    check(cfg)
    return Run(cfg, base=cfg, task_type=task_type)


def _plain(cfg: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict), "a config is a mapping"
    return {str(key): value for key, value in plain.items()}


def _numel(parameter: torch.nn.Parameter) -> int:
    """How many numbers a weight has, this process's part of it or not."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))  # DeepSpeed's stage 3 splits it


def _adapter_folder(path: str) -> Path:
    """A run's adapter, or the adapter folder itself."""
    inner = Path(path) / "adapter"
    found = inner if inner.is_dir() else Path(path)
    if not any(found.glob("*.safetensors")):
        raise folders.FolderError(f"{path} holds no trained adapter (no *.safetensors): has the run ended?")
    return found


def _world(trainer: Mapping[str, Any]) -> int:
    """Processes of the run: the launcher's word, else devices x nodes."""
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    devices = trainer.get("devices", 1)
    count = devices if isinstance(devices, int) and devices > 0 else max(1, torch.cuda.device_count())
    return count * int(trainer.get("num_nodes", 1))


def _logger_sections(loggers: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Each logger writes into the run's folder, which the config cannot know before the run is named."""
    return {name: {**section, "save_dir": str(folder)} for name, section in loggers.items() if section}
