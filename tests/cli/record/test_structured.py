"""Environments whose observations have parts, draw from global generators, or hold nothing: what a recording keeps."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.evaluation.evaluate import evaluate

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

WAREHOUSE = """
import random
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

class Warehouse(gymnasium.Env):
    "All comes from the seed; whoever tells zone 6 from the others is paid."
    observation_space = Dict({
        "zone": Discrete(3, start=5), "position": Box(-9, 9, (2,), np.float64), "camera": Box(0, 255, (2, 2), np.uint8)
    })
    action_space = Discrete(2, start=1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._look(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        reward = float(action == 1 + (self.zone == 6)) * (1 + self.steps)
        self.steps += 1
        return self._look(), reward, False, self.steps == 6, {}

    def _look(self):
        self.zone = int(self.np_random.integers(5, 8))
        camera = self.np_random.integers(0, 256, (2, 2), np.uint8)
        return {"zone": self.zone, "position": self.np_random.uniform(-9, 9, 2), "camera": camera}

class Any(Warehouse):
    action_space = Discrete(2)
    spaces = {
        "nothing": Box(-1, 1, (0,), np.float32),
        "nowhere": Dict({"a": Box(-1, 1, (2,), np.float32), "b": Tuple((Box(0, 1, (3, 0)), Discrete(2)))}),
        "unchosen": MultiDiscrete([]),
        "one": Discrete(1),
        "fixed": Box(0, 0, (1,), np.float32),
        "bits": MultiBinary((2, 2)),
    }

    def __init__(self, observed="one", acted=None):
        self.observation_space = self.spaces[observed]
        self.action_space = self.spaces[acted] if acted else self.action_space
        self.zone = 5

    def step(self, action):
        return super().step(action)

    def _look(self):
        return self.observation_space.sample()

class Dice(Any):
    def _look(self):
        return np.full(1, random.random() + np.random.random(), np.float32)

    def __init__(self):
        self.observation_space, self.zone = Box(0, 2, (1,), np.float32), 5

for name, kind in {"Warehouse-v0": Warehouse, "Any-v0": Any, "Chance-v0": Dice}.items():
    if name in gymnasium.registry:
        del gymnasium.registry[name]
    gymnasium.register(name, entry_point=kind)

def clerk(observation):
    assert Warehouse.observation_space.contains(observation), observation
    return 1 + int(observation["zone"] == 6)

def pusher(observation):
    return np.array([2.5])

def throw(observation):
    return int(np.random.random() < 0.5)
"""

STATED = Dict(
    {"zone": Discrete(3, start=5), "position": Box(-9, 9, (2,), np.float64), "camera": Box(0, 255, (2, 2), np.uint8)}
)


@pytest.fixture
def run(run_here: RunHere, tmp_path: Path) -> RunHere:
    (tmp_path / "stores.py").write_text(WAREHOUSE)
    return run_here


def recorded(run: RunHere, env: str, policy: str, *options: str, out: str = "a.hdf5", episodes: int = 4) -> object:
    words = ("--policy", policy, "--episodes", str(episodes), "--seed", "0", "-o", out)
    return run("record", f"stores:{env}", *words, *options)


def test_a_dict_is_seen_and_kept_as_a_dict_and_serves_every_command(run: RunHere, tmp_path: Path) -> None:
    done = recorded(run, "Warehouse-v0", "stores:clerk")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mean return 21.0 +- 0.0" in done.stdout  # one mistaken for another part would miss some
    file = Demonstrations.load(tmp_path / "a.hdf5")
    assert file.observation_space == STATED
    for trajectory in file.trajectories:
        seen = trajectory.observations
        assert seen.dtype.names == ("camera", "position", "zone")
        assert (seen["camera"].shape, seen["camera"].dtype, seen["position"].dtype) == ((7, 2, 2), np.uint8, np.float64)
        np.testing.assert_array_equal(trajectory.actions, 1 + (seen["zone"][:-1] == 6))
    drawn = np.random.default_rng(file.trajectories[0].seed)  # what the environment drew, in its order
    drawn.integers(5, 8)
    np.testing.assert_array_equal(
        file.trajectories[0].observations["camera"][0], drawn.integers(0, 256, (2, 2), np.uint8)
    )

    env = "stores:Warehouse-v0"
    assert "Dict('camera': Box(0, 255, (2, 2), uint8)" in run("data", "info", "a.hdf5").stdout
    checked = run("data", "check", "a.hdf5", "--env", env)
    assert checked.returncode == 0, checked.stdout
    assert "fine: replayed steps lead where they were recorded to lead" in checked.stdout
    assert run("data", "plot", "a.hdf5").returncode == 0
    for words in (("minari", "--to", "minari"), ("b.hdf5", "--env", env)):
        assert run("data", "convert", "a.hdf5", "-o", *words).returncode == 0
        converted = Demonstrations.load(tmp_path / words[0])
        assert (converted.observation_space, converted.digests()) == (STATED, file.digests())
    small = ("--policy-hidden", "4", "--discriminator-hidden", "4", "--discriminator-updates", "1")
    sizes = ("--steps", "48", "--num-envs", "2", "--rollout-size", "24", "--seed", "0", "--hold-out", "0.5")
    trained = run("train", env, "--demos", "a.hdf5", "--out", "run", *sizes, *small)
    assert trained.returncode == 0, trained.stderr
    judged = run("evaluate", "run", "stores:clerk", "--demos", "a.hdf5", "--env", env, "--episodes", "3")
    assert judged.returncode == 0, judged.stderr
    in_python = evaluate(lambda seen: 1 + int(seen["zone"] == 6), file, "Warehouse-v0", episodes=2)
    assert in_python.return_mean == 21.0
    assert recorded(run, "Warehouse-v0", "run", out="c.hdf5", episodes=2).returncode == 0
    assert Demonstrations.load(tmp_path / "c.hdf5").observation_space == STATED
    assert recorded(run, "Warehouse-v0", "stores:clerk", "--append").returncode == 0
    assert len(Demonstrations.load(tmp_path / "a.hdf5").trajectories) == 8


def test_bits_are_kept_as_bits_and_replayed(run: RunHere, tmp_path: Path) -> None:
    options = ("--env-kwargs", '{"observed": "bits"}')
    assert recorded(run, "Any-v0", "random", *options).returncode == 0
    (shape,) = {each.observations.shape for each in Demonstrations.load(tmp_path / "a.hdf5").trajectories}
    assert shape == (7, 2, 2)
    converted = run("data", "convert", "a.hdf5", "-o", "b.hdf5", "--env", "stores:Any-v0", *options)
    assert converted.returncode == 0, converted.stderr


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ('{"observed": "nothing"}', r"the observation space Box([], [], (0,), float32) is not supported: with the sha"),
        ('{"observed": "nowhere"}', "not supported: 'b/0' holds no number, as its shape is (3, 0)"),
        ('{"observed": "unchosen"}', "MultiDiscrete([]) is not supported: an element holds no number"),
        ('{"acted": "nothing"}', r"the action space Box([], [], (0,), float32) is not supported: with the shape (0,)"),
        ('{"acted": "unchosen"}', "the space MultiDiscrete([]) is not supported: an element holds no number"),
    ],
)
@pytest.mark.parametrize("command", ["record", "expert"])
def test_what_holds_no_number_is_refused_before_anything_is_done(
    run: RunHere, tmp_path: Path, command: str, kwargs: str, said: str
) -> None:
    if command == "record":
        done = recorded(run, "Any-v0", "random", "--env-kwargs", kwargs)
    else:
        done = run("expert", "stores:Any-v0", "--steps", "8", "--out", "run", "--env-kwargs", kwargs)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert said in done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"stores.py"}


@pytest.mark.parametrize("kwargs", ['{"observed": "one"}', '{"observed": "fixed"}', '{"acted": "one"}'])
def test_what_leaves_no_choice_is_fine(run: RunHere, kwargs: str) -> None:
    assert recorded(run, "Any-v0", "random", "--env-kwargs", kwargs).returncode == 0


def test_one_seed_records_the_same_also_from_global_generators(run: RunHere, tmp_path: Path) -> None:
    for name in ("a.hdf5", "b.hdf5"):
        np.random.random()  # somebody else draws
        recorded(run, "Chance-v0", "stores:throw", out=name)
    first, second = (Demonstrations.load(tmp_path / name).digests() for name in ("a.hdf5", "b.hdf5"))
    assert first == second
    recorded(run, "Chance-v0", "stores:throw", "--append")
    whole = Demonstrations.load(tmp_path / "a.hdf5").trajectories
    assert len({float(each.observations[0, 0]) for each in whole}) == 8  # what is appended does not repeat the draws


def test_actions_beyond_the_box_are_clipped_on_request(run: RunHere, tmp_path: Path) -> None:
    refused = run(
        "record", "Pendulum-v1", "--policy", "stores:pusher", "--episodes", "1", "--seed", "0", "-o", "a.hdf5"
    )
    assert refused.returncode == 2
    assert "its element 0 is 2.5, above 2.0; --clip-actions clips such actions" in refused.stderr
    words = ("--episodes", "1", "--seed", "0", "-o", "a.hdf5", "--clip-actions")
    assert run("record", "Pendulum-v1", "--policy", "stores:pusher", *words).returncode == 0
    (trajectory,) = Demonstrations.load(tmp_path / "a.hdf5").trajectories
    assert np.unique(trajectory.actions).tolist() == [2.0]
    asked = ("--demos", "a.hdf5", "--env", "Pendulum-v1", "--episodes", "2")
    assert run("evaluate", "stores:pusher", *asked).returncode == 2
    assert run("evaluate", "stores:pusher", *asked, "--clip-actions").returncode == 0
