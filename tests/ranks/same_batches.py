"""Training on rollouts that are given, by draws that are given: of several ranks, and of one process on all of theirs.

The one process has as many environments and as large minibatches as the ranks together, and each of its minibatches
consists of theirs: row ``size * i + rank`` is row i of that rank's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gailkit.demonstrations import Demonstrations
from gailkit.generator import Generator
from gailkit.generator.off_policy import OffPolicyGenerator
from gailkit.ranks.group import joined, rank, size
from gailkit.rollouts.recent import RecentSteps
from gailkit.training.all_ranks import begin_alike
from gailkit.training.build import build_trainer
from gailkit.training.checkpoint import save_checkpoint
from gailkit.training.compared import require_equal_networks
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.policy_config import OFF_POLICY, PolicyConfig
from gailkit.types import Rollout, Trajectory

STEPS, ENVS = 14, 3  # of a rollout, of a rank; by the number that is drawn below one sees what is drawn
UPDATES = 5
SHOWN = 19  # steps from a replay that the discriminator of a rank is shown
OBSERVATIONS = Box(-np.inf, np.inf, (3,), np.float32)
BOX = Box(-1.0, 1.0, (2,), np.float32)
ACTIONS: dict[str, Space[Any]] = {"discrete": Discrete(3), "box": BOX, "unseen": BOX, "windows": BOX}
CASES = [
    (generator, loss, "discrete" if generator == "dqn" else "box" if generator in ("ddpg", "td3") else kind)
    for generator in ("pg", "ppo-clip", "ppo-penalty", "trpo", "acktr", "sac", "td3", "ddpg", "dqn")
    for loss, kind in (("adversarial", "box"), ("bce", "discrete"))
]
CASES += [("ppo-clip", "adversarial", "unseen"), ("sac", "bce", "unseen")]
CASES += [("ppo-clip", "bce", "windows"), ("sac", "bce", "windows")]
"""Generator, loss of D, actions. Those with the adversarial loss begin as a clone, which guides them, but where the
expert's actions are unseen. In some D judges windows of three steps."""


NARROW = {"ppo-penalty": {"kl_min": 0.0154, "kl_max": 0.0155}, "trpo": {"damping": 1e-4, "fisher_stride": 1}}
"""Settings by which ranks that decide for themselves soon decide otherwise than together."""


def config_of(generator: str, loss: str, ranks: int, window: int) -> TrainConfig:
    """Settings of each of several ranks, or of one process that stands for so many ``ranks``."""
    own: dict[str, Any] = NARROW.get(generator, {})
    off_policy = {"replay_size": 1000 * ranks, "warm_up": 16 * ranks, "updates_per_step": 0.125 / ranks}
    return TrainConfig(
        steps=STEPS * ENVS * ranks * size() * 20,
        num_envs=ENVS * ranks,
        rollout_size=STEPS * ENVS * ranks,
        generator=generator,
        loss=loss,
        discriminator=DiscriminatorConfig(hidden=(8,), batch_size=16 * ranks, updates=3, window=window),
        least_deviation=0.0,
        policy=PolicyConfig(
            hidden=(8,), batch_size=16 * ranks, **own, **(off_policy if generator in OFF_POLICY else {})
        ),
    )


def demonstrations(space: Space[Any], cloneable: bool) -> Demonstrations:
    """Fourteen episodes that terminate, of an expert whose actions follow from what it sees, or from nothing."""
    random = np.random.default_rng(0)
    trajectories = []
    for _ in range(14):
        observations = random.normal(size=(11, 3)).astype(np.float32)
        seen = observations[:-1] if cloneable else random.normal(size=(10, 3))
        actions = seen.argmax(-1) if isinstance(space, Discrete) else np.tanh(seen[:, :2]).astype(np.float32)
        trajectories.append(Trajectory(observations, actions, None, terminated=True))
    return Demonstrations(tuple(trajectories), OBSERVATIONS, space)


def rollout(number: int, space: Space[Any], ranks: list[int], of: int) -> Rollout:
    """What the environments of ``ranks``, out of ``of`` in all, are told to have done.

    Episodes of a rank end before those of the next one, so that endings come in the order of ranks.
    """
    random = torch.Generator().manual_seed(number)
    lead = (STEPS, ENVS * of)
    obs, following = (1 + 2 * torch.randn(*lead, 3, generator=random) for _ in range(2))
    if isinstance(space, Discrete):
        act = torch.randint(3, lead, generator=random)
    else:
        act = torch.randn(*lead, 2, generator=random).clamp(-0.9, 0.9)
    terminated = torch.zeros(lead, dtype=torch.bool)
    for each in range(of):
        terminated[(STEPS // of) * each + number % 3, ENVS * each : ENVS * each + 1 + 2 * (each % 2)] = True
    own = torch.cat([torch.arange(ENVS) + ENVS * each for each in ranks])
    parts = (part[:, own] for part in (obs, act, following, terminated, torch.zeros(lead, dtype=torch.bool)))
    return Rollout(*parts, first=number * STEPS * ENVS * len(ranks))


class Told:
    """In the place of a collector."""

    def __init__(self, space: Space[Any], ranks: list[int], of: int, window: int) -> None:
        self.recent = RecentSteps(window - 1)
        self.rollouts = iter([rollout(number, space, ranks, of) for number in range(UPDATES)])
        self.envs, self.mishaps = SimpleNamespace(single_action_space=space), SimpleNamespace(discarded=0)
        self.finished: list[Any] = []
        self.ended = 0

    def collect(self, generator: Generator) -> Rollout:
        return self.recent.before(next(self.rollouts))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        """It has none."""


class Draws(TorchFunctionMode):
    """Random numbers from a stream for each of ``ranks``, row by row in turn; over a rollout, each to its own steps.

    Everything is computed in double precision, so that whatever is merged wrongly stands out.
    """

    def __init__(self, ranks: list[int]) -> None:
        super().__init__()
        self.streams = [torch.Generator().manual_seed(1000 + each) for each in ranks]
        self.whole = STEPS * ENVS * len(ranks)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.float:
            return args[0].double()
        if func is torch.randperm:
            return self.in_turn([self.steps_of(n, torch.randperm(args[0] // len(self.streams), generator=stream))
                                 for n, stream in enumerate(self.streams)])  # fmt: skip
        if func is torch.randint:
            high, (count,) = args
            return self.in_turn([self.chosen(n, high, count // len(self.streams)) for n in range(len(self.streams))])
        if func is torch.rand:
            return self.rows(args, lambda shape, stream: torch.rand(shape, generator=stream))
        if func is torch.randn_like:
            return self.rows(args[0].shape, lambda shape, stream: torch.randn(shape, generator=stream))
        if func in (Tensor.exponential_, Tensor.normal_):
            empty = torch.empty
            found = self.rows(args[0].shape, lambda shape, stream: func(empty(shape), generator=stream))
            return args[0].copy_(found)
        return func(*args, **kwargs)

    def rows(self, shape: Any, draw: Callable[[Any, torch.Generator], Tensor]) -> Tensor:
        """Rows of numbers: over a rollout each stream's at the steps of its rank."""
        length = shape[0]
        parts = [draw((length // len(self.streams), *shape[1:]), stream) for stream in self.streams]
        if length != self.whole:
            return self.in_turn(parts)
        found = torch.empty(*shape)
        for number, part in enumerate(parts):
            found[self.steps_of(number, torch.arange(len(part)))] = part
        return found

    def chosen(self, number: int, high: int, count: int) -> Tensor:
        """Indices that a rank draws, as the one process counts."""
        ranks = len(self.streams)
        if high == self.whole:
            return self.steps_of(number, torch.randint(high // ranks, (count,), generator=self.streams[number]))
        if high == SHOWN * ranks:
            return ranks * torch.randint(SHOWN, (count,), generator=self.streams[number]) + number
        if high == ENVS * ranks:
            return torch.randint(ENVS, (count,), generator=self.streams[number]) + ENVS * number
        return torch.randint(high, (count,), generator=self.streams[number])

    def steps_of(self, number: int, index: Tensor) -> Tensor:
        """Where steps of a rank's rollout lie in the whole one, both flat."""
        return (index // ENVS) * ENVS * len(self.streams) + ENVS * number + index % ENVS

    def in_turn(self, parts: list[Tensor]) -> Tensor:
        return torch.stack(parts, 1).flatten(0, 1)


@contextmanager
def double_precision() -> Iterator[None]:
    """What is made inside the block is made in it."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class Doubles(TorchFunctionMode):
    """What asks for single precision gets double."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0].double() if func is Tensor.float else func(*args, **(kwargs or {}))


@contextmanager
def minibatches_of(ranks: int) -> Iterator[None]:
    """The sizes that are no settings, times ``ranks``."""
    with ExitStack() as opened:
        for name, number in (
            ("gailkit.discriminator.endings.BATCH_SIZE", 64),
            ("gailkit.generator.off_policy.SHOWN", SHOWN),
        ):
            opened.enter_context(mock.patch(name, number * ranks))
        opened.enter_context(double_precision())
        opened.enter_context(mock.patch("gailkit.generator.cloning.MOST_UPDATES", 40))
        yield


def trained(generator: str, loss: str, kind: str, ranks: list[int], of: int) -> tuple[Trainer, list[dict[str, float]]]:
    """A trainer after five iterations, on the rollouts of ``ranks`` out of ``of``, and its metrics."""
    space, window = ACTIONS[kind], 3 if kind == "windows" else 1
    envs: Any = SimpleNamespace(
        single_observation_space=OBSERVATIONS,
        single_action_space=space,
        num_envs=ENVS * len(ranks),
        about=SimpleNamespace(time_limit=None),
    )
    with minibatches_of(len(ranks)):
        torch.manual_seed(ranks[0])
        config = config_of(generator, loss, len(ranks), window)
        with Doubles():
            shown = demonstrations(space, cloneable=loss == "adversarial")
            trainer = build_trainer(config, envs, shown.without_actions() if kind == "unseen" else shown)
        told: Any = Told(space, ranks, of, window)
        trainer.collector = told
        begin_alike(trainer)
        guidance = trainer.generator.guidance
        if guidance is not None:
            size_of_all = guidance.batch_size * len(ranks)
            trainer.generator.guidance = dataclasses.replace(guidance, batch_size=size_of_all)
        with Draws(ranks):
            metrics = [trainer.iterate() for _ in range(UPDATES)]
    assert not isinstance(trainer.generator, OffPolicyGenerator) or metrics[-1]["policy/updates"] == 5
    return trainer, metrics


def state_of(trainer: Trainer, metrics: list[dict[str, float]]) -> dict[str, Any]:
    """What is compared: parameters and statistics, what is chosen from, the masses, the metrics."""
    state = trainer.state_dict()
    return {
        "generator": {name: value for name, value in state["generator"].items() if isinstance(value, Tensor)},
        "learner": state["teacher"]["learner"],
        "candidates": state["candidates"],
        "discount": state["discount"],
        "metrics": metrics,
    }


def train_all(folder: str, cases: list[tuple[str, str, str]]) -> None:
    """All the ``cases``, on this rank; what each came to is left in ``folder``."""
    with joined():
        for case in cases:
            trainer, metrics = trained(*case, [rank()], size())
            require_equal_networks((trainer.generator, *trainer.teacher.networks().values()), UPDATES)
            save_checkpoint(Path(folder) / f"{'-'.join(case)}.{rank()}", state_of(trainer, metrics))
