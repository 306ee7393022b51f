"""How do processes share a run's work and memory? Lightning's strategies, each as exact as one process is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.utilities.seed import reset_seed
from lightning.pytorch.plugins.precision import DeepSpeedPrecision, Precision
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy, ModelParallelStrategy, Strategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from circuitvlm.core.sharded import trained, whole_parts
from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.progress import restarts


class Ddp(DDPStrategy):
    """Every process with all weights. `minutes` without a word from another process end the run."""

    def __init__(self, *, find_unused_parameters: bool, minutes: float) -> None:
        super().__init__(find_unused_parameters=find_unused_parameters, timeout=timedelta(minutes=minutes))

    def setup_environment(self) -> None:
        _meet_again(self)
        super().setup_environment()


def _meet_again(strategy: DDPStrategy | ModelParallelStrategy) -> None:
    """Let the processes of one machine that torchrun has started again find each other.

    torchrun without a rendezvous backend keeps one store for all its starts, in which the addresses of processes that
    are dead still stand (torch 2.13: `StaticTCPRendezvous`). Each start gets names of its own in it. Processes of
    several machines do not agree on how often they were started, and c10d, which they use, makes a new store each time.
    """
    told = os.environ
    here = "TORCHELASTIC_RUN_ID" in told and told.get("LOCAL_WORLD_SIZE") == told.get("WORLD_SIZE")  # no SLURM's
    if not here or not restarts() or distributed.is_initialized():
        return
    wait = strategy._timeout or distributed.default_pg_timeout
    store, rank, processes = next(rendezvous("env://", timeout=wait))
    distributed.init_process_group(
        strategy._get_process_group_backend(),
        store=PrefixStore(f"start {restarts()}", store),
        rank=rank,
        world_size=processes,
        timeout=wait,
    )


class _SavesWhole(Strategy):
    """What the strategies that split weights have in common: a checkpoint holds them whole, as that of one process."""

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """What is trained, whole, on rank 0. All ranks call it."""
        assert self.lightning_module is not None, "the trainer has given its module"
        return dict(trained(self.lightning_module))


class Fsdp2(_SavesWhole, ModelParallelStrategy):
    """All weights split over all processes (FSDP2). `minutes` without a word from another process end the run.

    Lightning's own gathers frozen weights too for a checkpoint, and names the optimizer's state by other keys than any
    other strategy does. Here a checkpoint is the one file that all of them write and read, on any number of processes.
    """

    def __init__(self, *, minutes: float) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False, timeout=timedelta(minutes=minutes))

    def setup_environment(self) -> None:
        """Lightning would split over the nodes alone, and give every process of a node the same samples."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        _meet_again(self)
        super().setup_environment()

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state as torch's own optimizer has it for whole weights, on rank 0. All ranks call it."""
        told: Mapping[str, Any] = Strategy.optimizer_state(self, optimizer)
        return {"state": whole_parts(told["state"]), "param_groups": told["param_groups"]}

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        return Strategy.load_checkpoint(self, checkpoint_path, weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None, "the trainer has given its module"
        here = dict(self.lightning_module.named_parameters())
        with torch.no_grad():
            for name, weight in checkpoint["state_dict"].items():
                here[name].copy_(_part(weight, like=here[name]))

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, told in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            here = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            numbers = [number for group in told["param_groups"] for number in group["params"]]
            if len(here) != len(numbers):
                raise ValueError(f"the checkpoint's optimizer moves {len(numbers)} weights, not {len(here)}")
            state = {
                number: {key: _part(value, like=parameter) for key, value in told["state"].get(number, {}).items()}
                for number, parameter in zip(numbers, here, strict=True)
            }
            optimizer.load_state_dict({"state": state, "param_groups": told["param_groups"]})


def _part(value: Any, *, like: Tensor) -> Any:
    """This process's part of a whole tensor, cut as `like` is. Adam's count of steps has none."""
    if not isinstance(like, DTensor) or not isinstance(value, Tensor) or value.dim() == 0:
        return value
    here = value.to(like.device)
    return distribute_tensor(here, like.device_mesh, like.placements, src_data_rank=None)  # every rank has it whole


class DeepSpeed(_SavesWhole, DeepSpeedStrategy):
    """ZeRO of DeepSpeed (arXiv 1910.02054): over all processes it splits the optimizer's state (`stage` 1), the
    gradients too (2), and all weights, frozen ones as well (3).

    `offload_optimizer` keeps the optimizer's state in the CPU's memory, `offload_parameters` (stage 3) the weights.
    `minutes` without a word from another process end the run. Runs on CPUs too, through gloo.

    Lightning's own is for GPUs alone, rounds what is trained to the precision of the arithmetic, saves a folder for one
    number of processes, and takes each module's hooks away before it predicts. Here trained weights stay float32, and a
    checkpoint is the one file that every other strategy writes and reads, on any number of processes.
    """

    def __init__(
        self, *, stage: Literal[1, 2, 3], offload_optimizer: bool, offload_parameters: bool, minutes: float
    ) -> None:
        if find_spec("deepspeed") is None:
            raise ConfigError(["trainer.strategy: DeepSpeed is not installed. pip install 'circuitvlm[deepspeed]'"])
        if not torch.cuda.is_available():
            os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else its import looks for a GPU, and says so
        super().__init__(
            stage=stage,
            offload_optimizer=offload_optimizer,
            offload_parameters=offload_parameters,
            logging_batch_size_per_gpu=1,
            timeout=timedelta(minutes=minutes),
        )
        self._engine: Any = None
        self._trained: list[list[nn.Parameter]] = []

    @property
    def precision_plugin(self) -> Precision:
        return super().precision_plugin

    @precision_plugin.setter
    def precision_plugin(self, precision_plugin: Precision | None) -> None:
        """Lightning gives its own; its arithmetic is kept, and not what it does to weights and batches."""
        if isinstance(precision_plugin, DeepSpeedPrecision):
            told: Any = precision_plugin.precision
            precision_plugin = Arithmetic(told)
        self._precision_plugin = precision_plugin

    def setup_environment(self) -> None:
        """As Lightning's, without its refusal of CPUs."""
        _meet_again(self)
        DDPStrategy.setup_environment(self)

    def setup_distributed(self) -> None:
        if self.root_device.type == "cuda":
            super().setup_distributed()
            return
        import deepspeed.ops  # an extra, which the constructor has looked for

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # it would be compiled, and gloo does as well
        reset_seed()
        self.set_world_ranks()
        self._init_deepspeed_distributed()

    @contextmanager
    def model_sharded_context(self) -> Iterator[None]:
        """For stage 3 transformers hears of it, and splits a checkpoint's weights while it loads them.

        Not those of an untrained model, which is small: its random weights would be others than on one process.
        """
        self._init_config_if_needed()
        if self.zero_stage_3 and getattr(getattr(self.lightning_module, "model", None), "weights", None) is not None:
            from transformers.integrations import HfDeepSpeedConfig  # imports deepspeed, which is an extra

            told = HfDeepSpeedConfig(self.config)
            yield
            del told  # transformers knows of it as long as somebody holds it
        else:
            yield

    def _format_config(self) -> None:
        super()._format_config()
        assert isinstance(self.config, dict), "made by the constructor"
        self.config["bf16"] = {"enabled": False}  # it would round the trained weights, which are float32, to bfloat16
        mixed = self.precision_plugin.precision == "bf16-mixed"
        autocast = {"enabled": mixed, "dtype": "bfloat16", "lower_precision_safe_modules": []}
        self.config["torch_autocast"] = autocast
        self.config["zero_force_ds_cpu_optimizer"] = False  # which would be compiled too; torch's own does

    def init_deepspeed(self) -> None:
        """Hand the net to DeepSpeed: to train it, or, at stage 3, to bring its weights together as they are needed."""
        assert self.lightning_module is not None, "the trainer has given its module"
        if self.lightning_module.trainer.state.fn == TrainerFn.FITTING:
            self._train_engine(self.lightning_module)
        elif not self.zero_stage_3:
            self.model_to_device()
        elif self._engine is None:
            self.model = self._engine = self._initialized(self.lightning_module, parameters=[], optimizer=None)
        else:
            self.model = self._engine

    def _train_engine(self, module: nn.Module) -> None:
        optimizer, scheduler = self._init_optimizers()
        self._trained = [list(group["params"]) for group in optimizer.param_groups]
        parameters = [parameter for group in self._trained for parameter in group]
        engine = self._initialized(module, parameters=parameters, optimizer=optimizer)
        self.optimizers = [engine.optimizer]
        self.lr_scheduler_configs = [scheduler] if scheduler is not None else []
        self.model = self._engine = engine

    def _initialized(self, module: nn.Module, *, parameters: list[nn.Parameter], optimizer: Optimizer | None) -> Any:
        import deepspeed  # an extra, which the constructor has looked for

        engine, *_ = deepspeed.initialize(
            config=self.config,
            model=module,
            model_parameters=parameters,
            optimizer=optimizer,
            dist_init_required=False,
        )
        return engine

    # A checkpoint is one file with whole weights, as of every other strategy.

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        """Before: the weights are whole then, and DeepSpeed copies them."""
        return False

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state as torch's own optimizer has it for whole weights, on rank 0. All ranks call it."""
        from circuitvlm.training.strategy.zero_state import whole_state  # imports deepspeed, which is an extra

        return whole_state(self._engine.optimizer, self._trained)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        from circuitvlm.training.strategy.zero_state import load_state  # imports deepspeed, which is an extra

        load_state(self._engine.optimizer, self._trained, checkpoint["optimizer_states"][0])

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: str | Path, storage_options: Any = None) -> None:
        DDPStrategy.save_checkpoint(self, checkpoint, filepath, storage_options)

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        return DDPStrategy.load_checkpoint(self, checkpoint_path, weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        DDPStrategy.load_model_state_dict(self, checkpoint, strict)


class Arithmetic(DeepSpeedPrecision):
    """float32, or bfloat16 within autocast; weights and batches stay what they are."""

    def convert_module(self, module: nn.Module) -> nn.Module:
        return module

    def convert_input(self, data: Any) -> Any:
        return data

    def tensor_init_context(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def forward_context(self) -> AbstractContextManager[Any]:
        if self.precision == "32-true":
            return nullcontext()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.autocast(device, dtype=torch.bfloat16)

    # Lightning gives it the optimizer, which DeepSpeed's engine has already
    def backward(self, tensor: Tensor, model: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Lightning has divided by the accumulation; DeepSpeed would do so again."""
        model.trainer.model.backward(tensor, *args, scale_wrt_gas=False, **kwargs)
