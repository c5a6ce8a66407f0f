"""What is imitated from a replay, and within how many steps what score is to be reached."""

from __future__ import annotations

from benchmarks.tasks import Method, Task

PAPER = "EXPERTS/paper"
METHODS = tuple(Method(name, name, ("--generator", name)) for name in ("sac", "td3", "ddpg", "dqn"))
MAIN = "sac"  # the one of which the scores are asked
TASKS = (
    Task("Pendulum-v1", "datasets/pendulum-v1.hdf5", 10, 1, 20_000, 0.95),
    Task("CartPole-v1", "datasets/cartpole-v1.hdf5", 10, 1, 20_000, 0.98),
    Task("Hopper-v5", f"{PAPER}/Hopper-v5.hdf5", 4, 20, 150_000, 0.95),
    Task("HalfCheetah-v5", f"{PAPER}/HalfCheetah-v5.hdf5", 4, 20, 200_000, 0.95),
    Task("MountainCar-v0", f"{PAPER}/MountainCar-v0.hdf5", 10, 1, 150_000, 0.90),
    Task("CartPole-v1", "datasets/cartpole-v1.hdf5", 10, 1, 20_000, None, "benchmarks.experts:push_left"),
    Task("Hopper-v5", f"{PAPER}/Hopper-v5.hdf5", 10, 1, 150_000, None, "random"),
)
BOX = ("Pendulum-v1", "Hopper-v5", "HalfCheetah-v5")


def acts_in(method: Method, task: Task) -> bool:
    """Whether the generator can choose the actions of the task."""
    return method.name == "sac" or (method.name == "dqn") == (task.env_id not in BOX)
