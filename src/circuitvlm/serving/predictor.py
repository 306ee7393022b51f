"""Generate replies of a model to a user's images and questions.

A reply is generated as in an evaluation: task, codec, collate, net.generate and codec.decode are those of the run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import torch

from circuitvlm.core.contract import Codec, Collate, Task
from circuitvlm.core.record import Example, Picture
from circuitvlm.runtime.spelling import suggestion
from circuitvlm.serving.cut_reply import CutReplyError
from circuitvlm.serving.streaming import ReplyStream, stream_tokens
from circuitvlm.serving.text import OnText
from circuitvlm.serving.user_example import TaskInputError, build_example
from circuitvlm.task.extract import Extract
from circuitvlm.task.free_text import FreeText
from circuitvlm.task.netlist import Netlist
from circuitvlm.training.assemble import DTYPES
from circuitvlm.training.batches.collator import Collator
from circuitvlm.training.network import Net, decode_replies

QUESTION, NETLIST = "question", "netlist"
log = logging.getLogger(__name__)
"""The names of two tasks that every model has: a question in free text, and the netlist of a circuit."""


class Question(FreeText):
    """A question in free text whose reply is used unchanged."""

    kind = QUESTION

    def read(self, text: str) -> str:
        return text


class Predictor:
    """A net with its codec and tasks. Replies are greedy, one at a time, in the precision of the run.

    `tasks` are those that the model was trained for, and `default_task` is the name of the one that runs if no other
    fits better, or None. `netlist_task` is how the model is asked for a netlist, also if it is not one of `tasks`.
    """

    def __init__(
        self,
        net: Net,
        *,
        codec: Codec,
        collate: Collate,
        tasks: Mapping[str, Task],
        default_task: str | None,
        netlist_task: Netlist,
        precision: str,
        max_new_tokens: int,
    ) -> None:
        self.net, self.codec, self.collate = net, codec, collate
        self.tasks, self.default_task, self.netlist_task = tasks, default_task, netlist_task
        self.max_new_tokens, self.precision = max_new_tokens, precision
        self.device = best_device()
        self.net.to(self.device).eval()

    def select_task(self, task_name: str | None, *, question: str | None, options: Sequence[str]) -> str:
        """The name of the task to run: `task_name`, else the default task where it takes this question and options.

        Otherwise it is the only task that takes them, or QUESTION. Raises TaskInputError where several tasks do.
        """
        if task_name is not None:
            self._find_task(task_name)
            return task_name
        candidates: list[str] = []
        for name in self.tasks:
            with suppress(TaskInputError):
                self._build_example(name, question=question, options=options)
                candidates.append(name)
        if self.default_task in candidates:
            return self.default_task
        if len(candidates) == 1:
            return candidates[0]
        if question is not None and not options:
            return QUESTION
        if self.default_task is not None:
            self._build_example(self.default_task, question=question, options=options)
        raise TaskInputError(f"--task: expected the name of a task, got none. {self._task_list()}")

    def asks_netlist(self, task_name: str | None, *, question: str | None, options: Sequence[str]) -> bool:
        """Whether the netlist task is to run, with a question or without. Raises TaskInputError."""
        if task_name is None and not options and self.tasks.get(self.default_task or "") is self.netlist_task:
            return True
        return self._find_task(self.select_task(task_name, question=question, options=options)) is self.netlist_task

    def enable_repair(self) -> None:
        """Complete JSON that was cut off, in every task that can. Raises TaskInputError where no task can."""
        extract_tasks = [task for task in self.tasks.values() if isinstance(task, Extract)]
        if not extract_tasks:
            raise TaskInputError(f"--repair: expected a model with a task that reads JSON. {self._task_list()}")
        for task in extract_tasks:
            task.repair = True

    def predict_netlist(self, picture: Picture) -> str:
        """The reply to the prompt for a netlist. Raises CutReplyError, as all methods that generate."""
        example = build_example(self.netlist_task, name=NETLIST, pictures=(picture,), question=None, options=())
        return self._generate(self.netlist_task, example, on_text=None)

    def answer_question(self, picture: Picture | None, question: str, *, on_text: OnText | None = None) -> str:
        """The reply to a question in free text, by the instruction task if the model was trained for one."""
        instruction_tasks = (name for name, task in self.tasks.items() if getattr(task, "kind", None) == "instruction")
        return self.run_task(next(instruction_tasks, QUESTION), picture, question=question, on_text=on_text)

    def run_task(
        self,
        task_name: str,
        picture: Picture | None,
        *,
        question: str | None = None,
        options: Sequence[str] = (),
        on_text: OnText | None = None,
    ) -> str:
        """The reply to one of the tasks or to QUESTION; `on_text` gets it in chunks. Raises TaskInputError."""
        pictures = () if picture is None else (picture,)
        example = self._build_example(task_name, pictures=pictures, question=question, options=options)
        return self._generate(self._find_task(task_name), example, on_text=on_text)

    def parse_reply(self, task_name: str, text: str) -> Any:
        """What a task reads from a reply; None where it cannot read it."""
        return self._find_task(task_name).read(text)

    def _find_task(self, name: str) -> Task:
        if name not in self.tasks and name != QUESTION:
            raise TaskInputError(
                f"--task: expected the name of a task, got {name!r}.{suggestion(name, self.tasks)} {self._task_list()}"
            )
        return self.tasks[name] if name in self.tasks else Question(prompt="{question}", metrics={})

    def _task_list(self) -> str:
        return f"The model has {', '.join(self.tasks) or 'no task'}; {QUESTION} is a question in free text"

    def _build_example(
        self, name: str, *, pictures: Sequence[Picture] = (), question: str | None, options: Sequence[str]
    ) -> Example:
        return build_example(self._find_task(name), name=name, pictures=pictures, question=question, options=options)

    def _generate(self, task: Task, example: Example, *, on_text: OnText | None) -> str:
        batch = Collator({example.task: task}, self.codec, self.collate).prompt_batch([example]).to(self.device)
        if batch.shrunk_images:
            log.warning("the image is shrunk to fit model.max_tokens; a model with a larger bound reads it as it is")
        stream_context: AbstractContextManager[ReplyStream | None] = nullcontext()
        if on_text is not None:
            stream_context = stream_tokens(self.net.weights, self.codec.decode, on_text)
        with torch.no_grad(), autocast(self.precision, self.device), stream_context as stream:
            rows = self.net.generate(batch, max_new_tokens=self.max_new_tokens)
        (reply,) = decode_replies(rows, batch, codec=self.codec, max_new_tokens=self.max_new_tokens)
        if stream is not None:
            stream.finish(reply.text)
        if reply.cut:
            raise CutReplyError(reply.text, max_new_tokens=self.max_new_tokens)
        return reply.text


def best_device() -> torch.device:
    """The GPU, or the CPU where no GPU is available."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context of a run's precision; on a CPU mixed precision is bfloat16."""
    dtype = torch.bfloat16 if device.type == "cpu" else DTYPES[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "32-true")
