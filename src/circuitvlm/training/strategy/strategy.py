"""Distribute a run over processes by Lightning's strategies, with the results of one process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from importlib.util import find_spec
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

from circuitvlm.core.sharded import gather_optimizer_state, gather_trained_weights
from circuitvlm.runtime.config.check import ConfigError
from circuitvlm.runtime.progress import restart_count


class Ddp(DDPStrategy):
    """All weights in every process. The run ends when a collective takes more than `timeout_minutes`."""

    def __init__(self, *, find_unused_parameters: bool, timeout_minutes: float) -> None:
        super().__init__(find_unused_parameters=find_unused_parameters, timeout=timedelta(minutes=timeout_minutes))

    def setup_environment(self) -> None:
        _init_restarted_processes(self)
        super().setup_environment()


def _init_restarted_processes(strategy: DDPStrategy | ModelParallelStrategy) -> None:
    """Initialize the process group of one machine's processes that torchrun has restarted.

    torchrun without a rendezvous backend keeps one store for all its starts, and the store still has the addresses of
    dead processes (torch 2.13: `StaticTCPRendezvous`). So each start gets a prefix of its own. Processes of several
    machines may differ in their number of starts; they use c10d, which makes a new store each time.
    """
    variables = os.environ
    is_torchrun = "TORCHELASTIC_RUN_ID" in variables  # else SLURM has restarted the job
    is_one_machine = variables.get("LOCAL_WORLD_SIZE") == variables.get("WORLD_SIZE")
    if not (is_torchrun and is_one_machine and restart_count()) or distributed.is_initialized():
        return
    timeout = strategy._timeout or distributed.default_pg_timeout
    store, rank, processes = next(rendezvous("env://", timeout=timeout))
    distributed.init_process_group(
        strategy._get_process_group_backend(),
        store=PrefixStore(f"start {restart_count()}", store),
        rank=rank,
        world_size=processes,
        timeout=timeout,
    )


class _WholeCheckpoint(Strategy):
    """A strategy that splits weights, and saves them whole, as one process does."""

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The trained weights, whole, on rank 0. All ranks call it."""
        assert self.lightning_module is not None, "the trainer sets its module"
        return dict(gather_trained_weights(self.lightning_module))


class Fsdp2(_WholeCheckpoint, ModelParallelStrategy):
    """All weights split over all processes (FSDP2). The run ends when a collective takes more than `timeout_minutes`.

    For a checkpoint, Lightning's strategy gathers frozen weights too, and names the optimizer's state by keys of its
    own. Here a checkpoint is one file that all strategies write and read, on any number of processes.
    """

    def __init__(self, *, timeout_minutes: float) -> None:
        super().__init__(
            tensor_parallel_size=1, save_distributed_checkpoint=False, timeout=timedelta(minutes=timeout_minutes)
        )

    def setup_environment(self) -> None:
        """Split over all processes: Lightning splits over nodes, and gives each process of a node the same samples."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        _init_restarted_processes(self)
        super().setup_environment()

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state of torch's own optimizer for whole weights, on rank 0. All ranks call it."""
        state: Mapping[str, Any] = Strategy.optimizer_state(self, optimizer)
        return {"state": gather_optimizer_state(state["state"]), "param_groups": state["param_groups"]}

    load_checkpoint = Strategy.load_checkpoint

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None, "the trainer sets its module"
        parameters = dict(self.lightning_module.named_parameters())
        with torch.no_grad():
            for name, weight in checkpoint["state_dict"].items():
                parameters[name].copy_(_local_part(weight, like=parameters[name]))

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, saved_state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            numbers = [number for group in saved_state["param_groups"] for number in group["params"]]
            state = {
                number: {key: _local_part(v, like=parameter) for key, v in saved_state["state"].get(number, {}).items()}
                for number, parameter in zip(numbers, parameters, strict=True)
            }
            optimizer.load_state_dict({"state": state, "param_groups": saved_state["param_groups"]})


def _local_part(value: Any, *, like: Tensor) -> Any:
    """This process's part of a whole tensor, sharded as `like` is; a scalar, such as Adam's step, stays whole."""
    if not isinstance(like, DTensor) or not isinstance(value, Tensor) or value.dim() == 0:
        return value
    # src_data_rank=None: every rank has the whole tensor
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


class DeepSpeed(_WholeCheckpoint, DeepSpeedStrategy):
    """DeepSpeed's ZeRO (arXiv 1910.02054): split the optimizer's state over all processes (`stage` 1), also the
    gradients (2), and also all weights, frozen ones included (3).

    `offload_optimizer` keeps the optimizer's state in the CPU's memory, `offload_parameters` (stage 3) the weights. The
    run ends when a collective takes more than `timeout_minutes`. Runs on CPUs too, through gloo.

    Lightning's strategy needs GPUs, rounds trained weights to the precision of the arithmetic, saves a folder for one
    number of processes, and removes the hooks of modules before it predicts. Here trained weights stay float32, and a
    checkpoint is one file that all strategies write and read, on any number of processes.
    """

    def __init__(
        self, *, stage: Literal[1, 2, 3], offload_optimizer: bool, offload_parameters: bool, timeout_minutes: float
    ) -> None:
        if find_spec("deepspeed") is None:
            raise ConfigError(
                [f"trainer.strategy: stage {stage} of DeepSpeed needs its package: pip install 'circuitvlm[deepspeed]'"]
            )
        if not torch.cuda.is_available():
            os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else its import looks for a GPU, and warns
        super().__init__(
            stage=stage,
            offload_optimizer=offload_optimizer,
            offload_parameters=offload_parameters,
            logging_batch_size_per_gpu=1,
            timeout=timedelta(minutes=timeout_minutes),
        )
        self._engine: Any = None
        self._trained_groups: list[list[nn.Parameter]] = []

    @property
    def precision_plugin(self) -> Precision:
        return super().precision_plugin

    @precision_plugin.setter
    def precision_plugin(self, precision_plugin: Precision | None) -> None:
        """Keep the arithmetic of Lightning's plugin, and not its conversion of weights and batches."""
        if isinstance(precision_plugin, DeepSpeedPrecision):
            precision: Any = precision_plugin.precision
            precision_plugin = Arithmetic(precision)
        self._precision_plugin = precision_plugin

    def setup_environment(self) -> None:
        """Set up as Lightning does, but on CPUs too."""
        _init_restarted_processes(self)
        DDPStrategy.setup_environment(self)

    def setup_distributed(self) -> None:
        if self.root_device.type == "cuda":
            super().setup_distributed()
            return
        import deepspeed.ops  # an extra, checked by the constructor

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # would be compiled; gloo is enough
        reset_seed()
        self.set_world_ranks()
        self._init_deepspeed_distributed()

    @contextmanager
    def model_sharded_context(self) -> Iterator[None]:
        """Let transformers split the weights of stage 3 while it loads them.

        An untrained model is small and is built whole: its random weights would differ from those of one process.
        """
        self._init_config_if_needed()
        if self.zero_stage_3 and getattr(getattr(self.lightning_module, "model", None), "weights", None) is not None:
            from transformers.integrations import HfDeepSpeedConfig  # imports deepspeed, which is an extra

            config = HfDeepSpeedConfig(self.config)
            yield
            del config  # transformers uses it while it is referenced
        else:
            yield

    def _format_config(self) -> None:
        super()._format_config()
        assert isinstance(self.config, dict), "the constructor makes it"
        self.config["bf16"] = {"enabled": False}  # it would round the trained weights, which are float32, to bfloat16
        is_mixed = self.precision_plugin.precision == "bf16-mixed"
        autocast = {"enabled": is_mixed, "dtype": "bfloat16", "lower_precision_safe_modules": []}
        self.config["torch_autocast"] = autocast
        self.config["zero_force_ds_cpu_optimizer"] = False  # would be compiled; torch's own is enough

    def init_deepspeed(self) -> None:
        """Give the net to DeepSpeed to train it, or, at stage 3, to gather its weights as they are needed."""
        assert self.lightning_module is not None, "the trainer sets its module"
        if self.lightning_module.trainer.state.fn == TrainerFn.FITTING:
            self._train_engine(self.lightning_module)
        elif not self.zero_stage_3:
            self.model_to_device()
        elif self._engine is None:
            self.model = self._engine = self._initialize(self.lightning_module, parameters=[], optimizer=None)
        else:
            self.model = self._engine

    def _train_engine(self, module: nn.Module) -> None:
        optimizer, scheduler = self._init_optimizers()
        self._trained_groups = [list(group["params"]) for group in optimizer.param_groups]
        parameters = [parameter for group in self._trained_groups for parameter in group]
        engine = self._initialize(module, parameters=parameters, optimizer=optimizer)
        self.optimizers = [engine.optimizer]
        self.lr_scheduler_configs = [scheduler] if scheduler is not None else []
        self.model = self._engine = engine

    def _initialize(self, module: nn.Module, *, parameters: list[nn.Parameter], optimizer: Optimizer | None) -> Any:
        import deepspeed  # an extra, checked by the constructor

        engine, *_ = deepspeed.initialize(
            config=self.config,
            model=module,
            model_parameters=parameters,
            optimizer=optimizer,
            dist_init_required=False,
        )
        return engine

    # A checkpoint is one file with whole weights, as with every other strategy.
    save_checkpoint = Strategy.save_checkpoint
    load_checkpoint = Strategy.load_checkpoint
    load_model_state_dict = Strategy.load_model_state_dict

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        """Restore before setup, while the weights are whole; DeepSpeed copies them."""
        return False

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state of torch's own optimizer for whole weights, on rank 0. All ranks call it."""
        from circuitvlm.training.strategy.zero_state import whole_state  # imports deepspeed, which is an extra

        return whole_state(self._engine.optimizer, self._trained_groups)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        from circuitvlm.training.strategy.zero_state import load_state  # imports deepspeed, which is an extra

        load_state(self._engine.optimizer, self._trained_groups, checkpoint["optimizer_states"][0])


class Arithmetic(DeepSpeedPrecision):
    """Computes in float32, or in bfloat16 within autocast; weights and batches keep their types."""

    convert_module = Precision.convert_module
    convert_input = Precision.convert_input
    tensor_init_context = Precision.tensor_init_context

    def forward_context(self) -> AbstractContextManager[Any]:
        if self.precision == "32-true":
            return nullcontext()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.autocast(device, dtype=torch.bfloat16)

    def backward(self, tensor: Tensor, model: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Do not divide by the accumulation again, as DeepSpeed does. Its engine has the `optimizer` already."""
        model.trainer.model.backward(tensor, *args, scale_wrt_gas=False, **kwargs)
