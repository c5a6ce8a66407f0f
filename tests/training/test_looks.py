"""Looking at the policy in the middle of a training: what is told of it, and that the run is the same as without."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

from gailkit.demonstrations import Demonstrations
from gailkit.errors import StorageError
from gailkit.evaluation.occupancy import at_a_glance
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.stepping import Stepping
from gailkit.tracking import TrackedRun
from gailkit.training import looks
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.config import TrainConfig
from gailkit.training.iteration import Iteration
from gailkit.training.looks import EPISODES, FILMED_STEPS
from gailkit.training.resuming import resume
from gailkit.training.train import TrainingResult, train
from gailkit.types import Batched
from gailkit.viewing.rendering import make_drawn
from tests.training.test_resuming import same

SEEN = {"eval/closeness", "eval/distance", "eval/true_return", "eval/length", "eval/seconds"}
CLOCK = {"seconds", "steps_per_second", "eval/seconds"}


def unseen(result: TrainingResult) -> list[dict[str, float]]:
    """The metrics without those of looks, and without clocks."""
    return [{name: each for name, each in row.items() if name not in SEEN | CLOCK} for row in result.metrics]


def timeless(result: TrainingResult) -> list[dict[str, float]]:
    return [{name: each for name, each in row.items() if name not in CLOCK} for row in result.metrics]


@pytest.fixture(scope="module")
def shown() -> Demonstrations:
    """Six episodes that balance the pole for 60 steps, which random actions do not."""
    env = make_env("CartPole-v1", {"max_episode_steps": 60})

    def balance(observations: np.ndarray) -> np.ndarray:
        return (observations @ np.array([0.1, 0.3, 1.0, 0.5]) > 0).astype(np.int64)

    trajectories = collect_episodes(
        Batched(balance), lambda: make_env("CartPole-v1", {"max_episode_steps": 60}), range(6)
    )
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, "CartPole-v1")


def test_a_run_is_the_same_bit_for_bit_whether_it_is_looked_at_or_not(
    shown: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny, steps=320)
    alone = train("CartPole-v1", shown, config, out=tmp_path / "alone")
    told: list[tuple[str, int]] = []

    class Films:
        def __init__(self, run: TrackedRun) -> None:
            pass

        def write(self, metrics: Any) -> None:
            pass

        def film(self, path: Path, steps: int) -> None:
            told.append((path.name, steps))

        def close(self) -> None:
            pass

    looked = dataclasses.replace(config, eval_every=100)
    seen = train("CartPole-v1", shown, looked, out=tmp_path / "seen", track=[Films])
    assert unseen(alone) == unseen(seen)
    assert all(not SEEN & set(row) for row in alone.metrics)
    assert [set(row) & SEEN for row in seen.metrics] == [set(), SEEN, set(), SEEN, SEEN]  # at 128, 256 and 320
    for name in ("last", "chosen"):
        states = (load_checkpoint(tmp_path / run / "checkpoints" / f"{name}.safetensors") for run in ("alone", "seen"))
        same(*states)
    rows = [json.loads(line) for line in (tmp_path / "seen" / "metrics.jsonl").read_text().splitlines()]
    assert rows == seen.metrics
    films = [(f"step-{steps:09}.gif", steps) for steps in (128, 256, 320)]
    assert told == films
    for name, _ in films:
        with Image.open(tmp_path / "seen" / "eval" / name) as film:
            assert 1 < getattr(film, "n_frames", 1) <= FILMED_STEPS + 1
    train("CartPole-v1", shown, config, out=tmp_path / "seen", overwrite=True)
    assert not list((tmp_path / "seen").rglob("*.gif"))


def test_a_run_that_goes_on_is_looked_at_as_one_that_was_not_stopped(
    shown: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny, steps=320, eval_every=100)

    def stop(iteration: Iteration) -> None:
        if iteration.number == 3:
            iteration.stop()

    whole = train("CartPole-v1", shown, config)
    train("CartPole-v1", shown, config, out=tmp_path / "run", on_iteration=stop)
    assert timeless(resume(tmp_path / "run", shown)) == timeless(whole)


def test_what_is_told_is_that_of_the_policy_as_it_was(shown: Demonstrations, tiny: TrainConfig) -> None:
    """CartPole earns 1 a step, so that return and length are one number."""
    config = dataclasses.replace(tiny, eval_every=1)
    rows = train("CartPole-v1", shown, config).metrics
    assert all(set(row) >= SEEN for row in rows)
    assert all(row["eval/true_return"] == row["eval/length"] > 0 for row in rows)
    assert all(row["eval/distance"] > 0 and row["eval/seconds"] > 0 for row in rows)
    assert len({row["eval/distance"] for row in rows}) == len(rows)


def test_where_nobody_knows_what_the_expert_did_what_it_saw_is_compared(
    shown: Demonstrations, tiny: TrainConfig
) -> None:
    (row, *_) = train("CartPole-v1", shown.without_actions(), dataclasses.replace(tiny, eval_every=1)).metrics
    assert row["eval/distance"] > 0 and "eval/closeness" in row


def test_the_expert_itself_is_close_and_random_actions_are_not() -> None:
    """Clouds around 0 and around 3 deviations away: the one is the expert's again, the other that of random actions."""
    generator = np.random.default_rng(0)
    expert, again = ([generator.normal(size=(40, 2)) for _ in range(20)] for _ in range(2))
    random = [generator.normal(3.0, size=(40, 2)) for _ in range(20)]
    assert at_a_glance(again, expert, random)[1] == pytest.approx(1.0, abs=0.05)
    far, close = at_a_glance(random, expert, random)
    assert (far, close) == (pytest.approx(3 * 2**0.5, abs=0.3), pytest.approx(0.0, abs=0.05))
    assert at_a_glance(again, expert[:1], random)[1] is None


class Brittle(gymnasium.Env[np.ndarray, np.int64]):
    """Episodes of a step, which break where they begin as those of a look do."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed in SeedStream(0, "looking").take(EPISODES):
            raise RuntimeError("a fuse blew")
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), 1.0, True, False, {}


def test_a_policy_that_cannot_be_played_is_told_of_and_the_run_goes_on(tiny: TrainConfig) -> None:
    gymnasium.register("Brittle-v0", entry_point=Brittle)
    try:
        env, policy = make_env("Brittle-v0"), random_policy(Brittle.action_space, 0)
        trajectories = collect_episodes(policy, lambda: make_env("Brittle-v0"), range(4))
        shown = Demonstrations(tuple(trajectories), env.observation_space, env.action_space, "Brittle-v0")
        said: list[str] = []
        stepping = Stepping(restarts=0, tell=said.append)
        result = train("Brittle-v0", shown, dataclasses.replace(tiny, eval_every=100), stepping=stepping)
    finally:
        gymnasium.registry.pop("Brittle-v0")
    assert len(result.metrics) == 3
    assert all(not SEEN & set(row) for row in result.metrics)
    assert len(said) == 1 and said[0].startswith("the policy could not be looked at after 128 steps: ")
    assert "a fuse blew" in said[0]


def test_a_disk_that_refuses_films_is_told_of_and_the_run_goes_on(
    shown: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    said: list[str] = []

    def in_the_way(iteration: Iteration) -> None:
        if iteration.number == 1:
            (tmp_path / "run" / "eval").write_text("no folder")

    config = dataclasses.replace(tiny, eval_every=100)
    result = train(
        "CartPole-v1",
        shown,
        config,
        out=tmp_path / "run",
        on_iteration=in_the_way,
        stepping=Stepping(tell=said.append),
    )
    assert any("eval/distance" in row for row in result.metrics)
    assert said and all(each.startswith("no film of the policy after ") for each in said)


def test_an_environment_that_was_to_be_filmed_is_closed_where_no_film_can_be_written(
    shown: Demonstrations, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def drawn(*made: Any) -> Any:
        opened.append(make_drawn(*made))
        return opened[-1]

    def refused(*film: Any) -> Any:
        raise StorageError("the disk is full")

    monkeypatch.setattr(looks, "make_drawn", drawn)
    monkeypatch.setattr(looks, "open_film", refused)
    said: list[str] = []
    config = dataclasses.replace(tiny, eval_every=100)
    train("CartPole-v1", shown, config, out=tmp_path / "run", stepping=Stepping(tell=said.append))
    assert len(opened) > 1 and any("the disk is full" in each for each in said)
    assert not any(env.unwrapped.isopen for env in opened)
