"""What is imitated: the environment, whose demonstrations, how many of them, for how long; and by which methods."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
EXPERTS = Path(os.environ.get("GAILKIT_EXPERTS", REPOSITORY.parent / "shared" / "experts"))
WORK = Path("runs") / "benchmarks"
EPISODES = 100  # of each evaluation


@dataclass(frozen=True)
class Method:
    """How a task is imitated. Results are kept under ``name``: to rename a method is to measure it again."""

    name: str
    generator: str | None  # the optimiser that improves the policy; None where nothing is trained against D
    options: tuple[str, ...] = ()  # of ``gailkit train``


METHODS = (
    Method("adversarial", "ppo-clip", ("--loss", "adversarial")),
    Method("bce", "ppo-clip", ("--loss", "bce")),
    Method("cloning", None),
    *(Method(name, name, ("--generator", name)) for name in ("ppo-penalty", "trpo", "acktr", "pg")),
)
CONTROLLED = ("adversarial", "bce")  # the methods that also imitate teachers who know nothing
OPTIMISERS = {  # the name of each, and the method that is it with the default loss
    "ppo-clip": "adversarial",
    "ppo-penalty": "ppo-penalty",
    "trpo": "trpo",
    "acktr": "acktr",
    "pg": "pg",
}


@dataclass(frozen=True)
class Task:
    """One row of the table."""

    env_id: str
    demos: str  # beginning with EXPERTS/ where other projects made them
    trajectories: int
    subsample: int
    steps: int
    threshold: float | None  # the normalised score to reach; None for a bias control
    teacher: str | None = None  # SPEC of the policy that a bias control imitates in place of the demonstrations
    without_actions: bool = False  # whether the actions are left out before it is imitated

    @property
    def name(self) -> str:
        """The environment, a single trajectory where that is all, what is left out, and for a control who teaches."""
        if self.teacher is not None:
            return f"{self.env_id} taught by {self.teacher.split(':')[-1]}"
        if self.without_actions:
            return f"{self.env_id} without actions"
        return f"{self.env_id} from one trajectory" if self.trajectories == 1 else self.env_id

    @property
    def demos_path(self) -> Path:
        """Where the real expert's demonstrations lie, relative to the repository where they are shipped."""
        folder, _, rest = self.demos.partition("/")
        return EXPERTS / rest if folder == "EXPERTS" else Path(self.demos)

    @property
    def taught_path(self) -> Path:
        """Where the demonstrations lie that are imitated."""
        if self.teacher is None and not self.without_actions:
            return self.demos_path
        return WORK / f"{self.name.replace(' ', '-')}.hdf5"


TASKS = (
    Task("CartPole-v1", "datasets/cartpole-v1.hdf5", 10, 1, 100_000, 1.00),
    Task("Pendulum-v1", "datasets/pendulum-v1.hdf5", 10, 1, 200_000, 0.98),
    Task("MountainCar-v0", "EXPERTS/paper/MountainCar-v0.hdf5", 10, 1, 200_000, 1.00),
    Task("Hopper-v5", "EXPERTS/paper/Hopper-v5.hdf5", 4, 20, 500_000, 1.00),
    Task("HalfCheetah-v5", "EXPERTS/paper/HalfCheetah-v5.hdf5", 4, 20, 1_000_000, 1.00),
    Task("CartPole-v1", "EXPERTS/paper/CartPole-v1.hdf5", 1, 1, 100_000, 0.98),
    Task("MountainCar-v0", "EXPERTS/paper/MountainCar-v0.hdf5", 1, 1, 200_000, 0.95),
    Task("CartPole-v1", "datasets/cartpole-v1.hdf5", 10, 1, 100_000, None, "benchmarks.experts:push_left"),
    Task("Hopper-v5", "EXPERTS/paper/Hopper-v5.hdf5", 10, 1, 500_000, None, "random"),
)
