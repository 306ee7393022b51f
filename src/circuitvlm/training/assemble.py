"""Assemble a run from its config: the only module that builds the parts of a config and combines them."""

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
from circuitvlm.runtime.folders import identity, provenance
from circuitvlm.runtime.folders import run_folder as folders
from circuitvlm.runtime.folders.portable import local_settings, portable_settings
from circuitvlm.runtime.folders.saved_file import FolderError, escape
from circuitvlm.runtime.folders.settings import to_dict
from circuitvlm.runtime.learning_rate import apply_base_lr
from circuitvlm.runtime.progress import rank
from circuitvlm.training import preflight
from circuitvlm.training.batches.data_module import TRAIN, VALIDATION, Data, PredictRequest, Window
from circuitvlm.training.batches.task_dataset import TaskDataset
from circuitvlm.training.batches.unreadable_images import UnreadableImages
from circuitvlm.training.callback.dropout_profile import adapter_dropouts, block_stacks
from circuitvlm.training.checkpoint import random_state, storage
from circuitvlm.training.checkpoint.checkpoint import Checkpoint
from circuitvlm.training.checkpoint.finite import check_finite_weights
from circuitvlm.training.checkpoint.validation_log import ValidationLog
from circuitvlm.training.failure import FailureCallback
from circuitvlm.training.flops import weight_count
from circuitvlm.training.module import Module
from circuitvlm.training.replies import read_replies
from circuitvlm.training.smoke_test import smoke_test_settings
from circuitvlm.training.task_selection import select_tasks

log = logging.getLogger(__name__)

DTYPES = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


class Run:
    """One run by its checked config: its folder and parts, and methods to train, evaluate and grade it.

    `settings` is the config as it is saved; `cfg` is the one in use, reduced for a smoke test and with the learning
    rate.
    """

    def __init__(self, cfg: DictConfig, *, base: DictConfig, task_type: str | None = None) -> None:
        self.folder = folders.run_folder(cfg, base)
        self.task_type = task_type
        self.settings = portable_settings(cfg)
        self.cfg = smoke_test_settings(to_dict(cfg)) if cfg.smoke_test else to_dict(cfg)
        self.cfg["optimizer"] = apply_base_lr(
            self.cfg["optimizer"], base_lr=self.cfg["base_lr"], global_batch_size=self.cfg["global_batch_size"]
        )

    @cached_property
    def sources(self) -> dict[str, Source]:
        sources: dict[str, Source] = instantiate(self.cfg["data"])
        return sources

    @cached_property
    def tasks(self) -> dict[str, Task]:
        tasks: dict[str, Task] = instantiate(self.cfg["tasks"])
        return select_tasks(tasks, answer_mode=self.cfg["answer_mode"], task_type=self.task_type)

    @cached_property
    def model(self) -> Model:
        model: Model = instantiate(self.cfg["model"])
        return model.smoke_test_model() if self.cfg["smoke_test"] else model

    @cached_property
    def data(self) -> Data:
        return Data(
            sources=self.sources,
            tasks=self.tasks,
            codec=self.model.codec(),
            collate=instantiate(self.cfg["collate"]),
            objective=instantiate(self.cfg["objective"]),
            window=Window(
                seed=seed.derive_seed(self.cfg["seed"], "sampler"),
                steps=self.steps,
                global_batch_size=self.cfg["global_batch_size"],
                micro_batch_size=self.cfg["micro_batch_size"],
            ),
            mixture_weights=self.cfg["mixture_weights"],
            eval_batch_size=self.cfg["eval_batch_size"],
            validate_items=self.cfg["validate_items"],
            num_workers=self.cfg["num_workers"],
            unreadable_images=UnreadableImages(self.folder, limit=self.cfg["max_unreadable_images"]),
        )

    @cached_property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        if self.cfg["max_steps"] is not None:
            return int(self.cfg["max_steps"])
        questions = TaskDataset(self.sources, self.tasks, TRAIN, limit=None)
        return math.ceil(float(self.cfg["max_epochs"]) * len(questions) / int(self.cfg["global_batch_size"]))

    @cached_property
    def has_validation(self) -> bool:
        """Whether training validates: it does where a source has a split for it."""
        return self.cfg["max_steps"] != 0 and any(VALIDATION in source.splits() for source in self.sources.values())

    @cached_property
    def module(self) -> Module:
        cfg = self.cfg
        if self.init_adapter:
            self.warn_of_changes({"model": self.model_fingerprints})
        adapter = instantiate(cfg["adapter"])
        examples: Iterable[Example] = ()
        if self.has_validation:
            examples = self.data.questions(VALIDATION, limit=cfg["validate_items"])
        return Module(
            model=self.model,
            codec=self.data.codec,
            adapter=adapter,
            dropout=instantiate(cfg["dropout"]),
            objective=self.data.objective,
            optimizer=instantiate(cfg["optimizer"]),
            schedule=instantiate(cfg["schedule"]),
            tasks=self.tasks,
            validation_examples={example.id: example for example in examples},
            quantization=instantiate(cfg["quantization"]) if cfg["quantization"] else None,
            dtype=torch.float32 if adapter.trains_base else DTYPES[cfg["precision"]],
            seed=seed.derive_seed(cfg["seed"], "weights"),
            lr_multipliers=cfg["lr_multipliers"],
            max_new_tokens=cfg["max_new_tokens"],
            steps=self.steps,
            log_every_n_steps=cfg["log_every_n_steps"],
            adapter_folder=self.init_adapter,
        )

    @cached_property
    def trainer(self) -> Trainer:
        cfg = self.cfg
        accumulation = max(1, cfg["global_batch_size"] // (int(cfg["micro_batch_size"]) * _world_size(cfg["trainer"])))
        loggers = {
            name: {**section, "save_dir": str(self.folder)} for name, section in cfg["logger"].items() if section
        }
        settings = {
            "max_steps": self.steps,
            "max_epochs": -1,
            "accumulate_grad_batches": accumulation,
            "val_check_interval": min(cfg["validate_every_n_steps"], max(self.steps, 1)) * accumulation,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "limit_val_batches": 1.0 if self.has_validation else 0,
            "gradient_clip_val": cfg["gradient_clip_val"],
            "precision": cfg["precision"],
            "log_every_n_steps": cfg["log_every_n_steps"],
            "callbacks": self._callbacks(),
            "logger": list(instantiate(loggers).values()),
            "default_root_dir": str(self.folder),
            "enable_checkpointing": False,
            "use_distributed_sampler": False,
        }
        try:
            trainer: Trainer = instantiate(cfg["trainer"], **settings)
        except MisconfigurationException as error:
            raise ConfigError([f"trainer: {error} On a machine without a GPU: trainer=cpu"]) from error
        return trainer

    @cached_property
    def timer(self) -> Timer | None:
        """The limit on the training's time, where the config sets one."""
        minutes = self.cfg["max_minutes"]
        return None if minutes is None else Timer(duration={"seconds": 60 * minutes})

    def _callbacks(self) -> list[Callback]:
        cfg = self.cfg
        callbacks: list[Callback] = [FailureCallback(self.folder, settings=cfg), ValidationLog()]
        callbacks += instantiate(cfg["callback"]).values()
        callbacks += [self.timer] if self.timer else []
        checkpoint = Checkpoint(
            self.folder,
            every_n_steps=cfg["checkpoint_every_n_steps"],
            keep=cfg["checkpoint_keep"],
            best=cfg["checkpoint_best"],
            save_adapter=self.save,
        )
        return [*callbacks, checkpoint]  # the last: it saves what the other callbacks have changed

    @property
    def init_adapter(self) -> Path | None:
        """The folder of the adapter that the training starts from, or that is graded."""
        return _adapter_folder(self.cfg["init_adapter"]) if self.cfg["init_adapter"] else None

    @cached_property
    def model_fingerprints(self) -> dict[str, Any]:
        """Setting of the model -> name and fingerprint of the folder that it names; large weights are read for it."""
        return {
            key: {"name": self.cfg["model"].get(key) or "untrained", **identity.folder_fingerprint(folder)}
            for key, folder in self.model.folders.items()
        }

    def fingerprints(self) -> dict[str, Any]:
        """The fingerprints of the model, of the first adapter, and of the examples of all splits that the run reads."""
        fingerprints = {"model": self.model_fingerprints}
        if self.init_adapter:
            name = self.cfg["init_adapter"]
            fingerprints["init_adapter"] = {"name": name, **identity.folder_fingerprint(self.init_adapter)}
        training_splits = (TRAIN, VALIDATION) if self.steps else ()
        splits = dict.fromkeys((*training_splits, *self.cfg["eval_splits"]))
        return {**fingerprints, "data": self.data.fingerprints(splits)}

    def warn_of_changes(self, fingerprints: Mapping[str, Any]) -> None:
        """Warn where the adapter that is loaded was trained on another model or other data than these."""
        if rank() == 0 and self.init_adapter:
            for change in identity.differences(provenance.read(self.init_adapter), fingerprints):
                log.warning("%s was trained with another file; its replies may be wrong: %s", self.init_adapter, change)

    def _end_reason(self) -> str | None:
        """Why the training ended before its last step; None where it did not."""
        if self.trainer.global_step >= self.steps:
            return None
        is_late = self.timer is not None and (self.timer.time_remaining() or 0.0) <= 0
        return f"max_minutes={self.cfg['max_minutes']:g}" if is_late else "a callback"

    def check_parts(self) -> None:
        """Raise ConfigError before the training for the faults of `preflight.find_faults`, which only parts show."""
        if faults := list(preflight.find_faults(self.cfg, self.sources, self.tasks, model=self.model)):
            raise ConfigError(faults)

    def train(self) -> None:
        """Train from the folder's newest checkpoint to the end, and save the adapter's folder."""
        self.check_parts()
        for note in preflight.notes(self.cfg, self.sources) if self.steps else ():
            log.info("%s", note)
        seed.seed_random_and_numpy(self.cfg["seed"])
        torch.manual_seed(seed.derive_seed(self.cfg["seed"], "training", rank()))
        random_state.use_deterministic_convolutions()
        if not self.steps:
            return
        checkpoint = None if self.cfg["overwrite"] else storage.newest_intact(self.folder)
        if checkpoint:
            log.info("resuming from step %d: %s", checkpoint.step, checkpoint.path)
        for logger in self.trainer.loggers:
            logger.log_hyperparams(self.settings)
        state_path = str(checkpoint.state_path) if checkpoint else None
        self.trainer.fit(self.module, datamodule=self.data, ckpt_path=state_path, weights_only=True)
        if (reason := self._end_reason()) is not None:
            log.warning("ended by %s at step %d of %d", reason, self.trainer.global_step, self.steps)
        self.save(self.folder / "adapter")

    def save(self, folder: Path) -> None:
        """Save a folder that plain peft and transformers load: adapter, tokenizer, processor and chat template."""
        check_finite_weights(self.module, str(folder))
        self.module.adapter.save(self.module.built_net.weights, folder)
        if rank() == 0:
            self.data.codec.save(folder)
            folders.write_atomic(folder / folders.CONFIG_FILE, folders.as_yaml(self.settings))
            provenance.copy(self.folder, folder)

    def evaluate(
        self, splits: Sequence[str], *, items: int | None, replies_folder: Path, shuffle_images: bool = False
    ) -> dict[str, Grades]:
        """Generate replies for each split into `out`, then grade them from there."""
        grades = {}
        for split in splits:
            self.data.predict_request = PredictRequest(split, items, shuffle_images)
            self.module.replies_folder = replies_folder / split
            self.trainer.predict(self.module, datamodule=self.data, return_predictions=False)
            self.trainer.strategy.barrier("replies")
            grades[split] = self.regrade(split, items=items, replies_folder=replies_folder)
        return grades

    def regrade(self, split: str, *, items: int | None, replies_folder: Path) -> Grades:
        """Grade the replies in `out`, without a model."""
        questions = self.data.questions(split, limit=items)
        grades = grade(questions, read_replies(replies_folder / split), self.tasks, label=split)
        if rank() == 0:
            grades.save(replies_folder / split / "scores.json")
        return grades

    def release(self) -> None:
        """Release the model's memory; a later use builds it again."""
        for name in ("module", "trainer", "data"):  # all three hold the net
            self.__dict__.pop(name, None)

    def summary(self) -> dict[str, Any]:
        """What was trained, for how long, and on how much."""
        stacks = block_stacks(adapter_dropouts(self.module.built_net.weights), self.model)
        return {
            "minutes": round(self.module.seconds / 60, 3),
            "steps": self.trainer.global_step,
            "planned_steps": self.steps,
            "ended_by": self._end_reason(),
            "samples": self.trainer.global_step * self.cfg["global_batch_size"],
            "unread_images": len(self.data.unreadable_images.messages),
            "trainable_parameters": sum(weight_count(p) for p in self.module.parameters() if p.requires_grad),
            "parameters": sum(map(weight_count, self.module.parameters())),
            "cpu_threads": torch.get_num_threads(),
            "dropout": {stack.name: list(stack.pairs) for stack in stacks},
        }


def trained_run(
    path: Path, *, changes: Mapping[str, Any], task_type: str | None = None, with_adapter: bool = True
) -> Run:
    """A finished run, by its folder or its adapter's, that loads its adapter and does not train.

    Without `with_adapter` it is the run as before its training. `changes` are merged over its config; whole sources and
    tasks replace its own. `task_type` keeps the tasks about equations, or those of other questions (qa). Raises
    FolderError where no adapter is found.
    """
    adapter = _adapter_folder(str(path))
    settings = local_settings(folders.read_config(adapter))
    for key in ("data", "tasks"):
        if any("_target_" in section for section in changes.get(key, {}).values()):
            settings[key] = {}
    cfg = OmegaConf.merge(escape(settings), escape(changes))
    assert isinstance(cfg, DictConfig), "a run's config is a mapping"
    cfg.update(max_steps=0, max_epochs=None, max_minutes=None, overwrite=False, folder=str(path))
    if with_adapter:
        cfg.update(init_adapter=str(adapter))
    cfg.update(baselines=None, logger={}, callback={})  # grading adds nothing to the run's curves
    check(cfg)
    return Run(cfg, base=cfg, task_type=task_type)


def _adapter_folder(path: str) -> Path:
    """The folder of a run's adapter, by the run's folder or its own."""
    inner = Path(path) / "adapter"
    folder = inner if inner.is_dir() else Path(path)
    if not any(folder.glob("*.safetensors")):
        raise FolderError(
            f"{path}: expected a trained adapter (*.safetensors), got none; has the run finished training?"
        )
    return folder


def _world_size(trainer: Mapping[str, Any]) -> int:
    """The number of a run's processes: that of the launcher, else devices x nodes."""
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    devices = trainer.get("devices", 1)
    count = devices if isinstance(devices, int) and devices > 0 else max(1, torch.cuda.device_count())
    return count * int(trainer.get("num_nodes", 1))
