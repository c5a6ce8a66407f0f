"""Environments in processes of their own: the same numbers as in this one, and what becomes of those that fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.experts.random import random_policy
from gailkit.generator import Generator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import EnvMaker, SeedStream
from gailkit.rollouts.episodes import collect_episodes, run_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import make_vector_env
from gailkit.rollouts.workers import wire
from gailkit.rollouts.workers.pool import InWorkers
from gailkit.types import Reward, Rollout

HERE = Path(__file__).parent
FLAKY = "flaky:Flaky-v0"
NAME, TIME, ACTION, LIMIT = 0, 1, 2, 6  # as in flaky.py
SIX = 6  # environments


class Untaught(Generator):
    """Acts and does not learn."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        return {}


@pytest.fixture(autouse=True)
def flaky_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)


def stepping(workers: int, timeout: float = 60.0) -> Stepping:
    return Stepping(workers, timeout)


def collector(envs: Environments, mishaps: Mishaps | None = None, steps: int = 25) -> Collector:
    return Collector(envs, steps, SeedStream(3, "training"), envs.about.time_limit, mishaps=mishaps)


def rollouts(envs: Environments, runner: Collector, count: int = 2) -> list[Rollout]:
    """Of a policy at random, the same one for the same environments."""
    torch.manual_seed(0)
    encoder = ObservationEncoder(envs.single_observation_space)
    model = Untaught(ActorCritic(encoder, envs.single_action_space, (8,)))
    return [runner.collect(model) for _ in range(count)]


def same(one: Rollout, other: Rollout) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Rollout))


@pytest.mark.parametrize(("env_id", "workers"), [("CartPole-v1", 3), ("Pendulum-v1", 2), ("Hopper-v5", 2)])
def test_rollouts_are_the_same_bit_for_bit_and_go_on_in_either(env_id: str, workers: int) -> None:
    if env_id == "Hopper-v5":
        pytest.importorskip("mujoco")
    with (
        closing(make_vector_env(env_id, SIX)) as here,
        closing(make_vector_env(env_id, SIX, stepping=stepping(workers))) as elsewhere,
    ):
        one, other = collector(here), collector(elsewhere)
        assert all(map(same, rollouts(here, one), rollouts(elsewhere, other)))
        assert one.finished == other.finished
        one_state, other_state = one.state_dict(), other.state_dict()
        one.load_state_dict(other_state)
        other.load_state_dict(one_state)
        assert one.not_restored == other.not_restored == []
        assert all(map(same, rollouts(here, one), rollouts(elsewhere, other)))


def test_episodes_are_the_same_and_as_many_as_were_asked_for() -> None:
    found = [
        collect_episodes(acting(), EnvMaker("Pendulum-v1"), [5, 6, 7, 8, 9], 3, stepping=stepping(workers))
        for workers in (1, 2)
    ]
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one.observations, other.observations) and np.array_equal(one.actions, other.actions)
        assert np.array_equal(one.rewards, other.rewards) and (one.seed, one.terminated) == (
            other.seed,
            other.terminated,
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_known_of_an_episode_whether_it_was_a_success_where_the_environment_says_so(workers: int) -> None:
    """Each ends in its own step, beside others that go on and that end as another says."""
    seeds = list(range(1, 10))
    found = collect_episodes(acting(), EnvMaker(FLAKY), seeds, 4, stepping=stepping(workers))
    assert [each.success for each in found] == [{0: None, 1: True, 2: False}[seed % 3] for seed in seeds]


def acting() -> Any:
    with closing(make_vector_env("Pendulum-v1", 1)) as envs:
        return random_policy(envs.single_action_space, 0)


def check_true(rollout: Rollout) -> None:
    """Every step was taken, and what seems to go on did."""
    obs, following = rollout.obs, rollout.next_obs
    assert torch.equal(following[..., NAME], obs[..., NAME])
    assert torch.equal(following[..., TIME], obs[..., TIME] + 1)
    assert torch.equal(following[..., ACTION], rollout.act[..., 0].clamp(-1, 1))
    over = rollout.terminated | rollout.truncated
    assert torch.equal(rollout.terminated, following[..., TIME] == 4 + following[..., NAME] % 4)
    going_on = ~over[:-1]
    assert torch.equal(obs[1:][going_on], following[:-1][going_on])
    assert (obs[1:][~going_on][:, TIME] == 0).all()


def test_one_that_raises_begins_anew_and_leaves_true_steps_the_same_in_one_process_and_in_two() -> None:
    found, told = [], []
    for workers in (1, 2):
        said: list[str] = []
        with closing(make_vector_env(FLAKY, SIX, {"fault": "raise"}, stepping(workers))) as envs:
            runner = collector(envs, Mishaps(1000, said.append))
            found.append(rollouts(envs, runner))
            told.append(said)
            assert runner.mishaps.discarded == runner.mishaps.failures == len(said) > 3
    assert all(map(same, *found))
    assert told[0] == told[1]
    pattern = (
        r"the environment Flaky-v0 failed at step 3 of the episode with seed (\d+) \(number [0-5], action \[.+\]\): "
        r"RuntimeError: the arm broke \(flaky.py, line \d+\); it begins anew, failure 1 of 1000 that are accepted"
    )
    first = re.fullmatch(pattern, told[0][0])
    assert first is not None and int(first[1]) % 1009 % 5 == 0
    for rollout in found[0]:
        check_true(rollout)
        failed = (rollout.next_obs[..., NAME] % 5 == 0) & (rollout.next_obs[..., TIME] == 2)
        assert rollout.truncated[:-1][failed[:-1]].all()  # the last true step of an episode whose third failed
        assert (rollout.next_obs[..., TIME][rollout.next_obs[..., NAME] % 5 == 0] < 3).all()


def test_episodes_that_failed_are_in_no_report_and_the_rest_goes_on_exactly_from_a_state() -> None:
    with closing(make_vector_env(FLAKY, SIX, {"fault": "raise"})) as envs:
        runner = collector(envs, Mishaps(1000, lambda text: None))
        rollouts(envs, runner)
        assert {summary.length for summary in runner.finished} <= {4, 5, 6}
        assert all(summary.true_return == sum(range(summary.length + 1)) for summary in runner.finished)
        state = runner.state_dict()
        expected = rollouts(envs, runner)
        again = collector(envs, Mishaps(1000, lambda text: None))
        again.load_state_dict(state)
        assert again.not_restored == [] and again.mishaps.discarded == state["discarded"] > 0
        assert all(map(same, expected, rollouts(envs, again)))


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("SIGKILL", "was ended by SIGKILL"),
        ("SIGSEGV", "was ended by SIGSEGV"),
        ("hang", "did not answer for 0.4 s"),
    ],
)
def test_one_that_dies_or_hangs_is_named_and_gets_a_new_process(fault: str, how: str) -> None:
    said: list[str] = []
    timeout = 0.4 if fault == "hang" else 60.0
    with closing(make_vector_env(FLAKY, 4, {"fault": fault, "every": 50}, stepping(2, timeout))) as envs:
        assert isinstance(envs, InWorkers)
        runner = Collector(envs, 60, SeedStream(2, "training"), mishaps=Mishaps(20, said.append))
        for rollout in rollouts(envs, runner, 1):
            check_true(rollout)
        failures = runner.mishaps.failures
        assert 1 <= failures == len(said) and runner.mishaps.discarded == 2 * failures  # each shared its process
        assert len(envs.pids) == 2
    pattern = (
        rf"the environment Flaky-v0 {how} at step 3 of the episode with seed (\d+) \(number [0-3], action \[.+\]\); .*"
    )
    assert all((found := re.fullmatch(pattern, text)) and int(found[1]) % 1009 % 50 == 0 for text in said)


def test_one_that_dies_when_it_is_reset_takes_no_step_of_others_with_it() -> None:
    said: list[str] = []
    with closing(make_vector_env(FLAKY, 4, {"fault": "exit", "every": 29, "at": 0}, stepping(2))) as envs:
        runner = Collector(envs, 60, SeedStream(2, "training"), mishaps=Mishaps(20, said.append))
        for rollout in rollouts(envs, runner, 1):
            check_true(rollout)
    assert said and all("ended with code 3 when it was reset with seed" in text for text in said)


def test_numbers_that_are_not_finite_count_as_a_failure_and_none_is_acted_on() -> None:
    with closing(make_vector_env(FLAKY, SIX, {"fault": "nan"})) as envs:
        runner = collector(envs, Mishaps(1000, lambda text: None))
        for rollout in rollouts(envs, runner):
            check_true(rollout)
        assert runner.mishaps.discarded > 3


def test_more_failures_than_are_accepted_are_raised() -> None:
    said: list[str] = []
    with closing(make_vector_env(FLAKY, SIX, {"fault": "raise"})) as envs:
        runner = collector(envs, Mishaps(2, said.append))
        with pytest.raises(EnvironmentFailure, match=r"the arm broke .*; 2 failures before it were accepted"):
            rollouts(envs, runner)
    assert len(said) == 2


def test_an_episode_that_failed_is_replaced_by_one_with_another_seed() -> None:
    mishaps = Mishaps(20, lambda text: None)
    bad, good = [29, 58], [1, 2, 3, 4]
    seeds, spare = [bad[0], *good, bad[1]], iter([101, 102, 103])
    maker = EnvMaker(FLAKY, {"fault": "SIGKILL", "every": 29})
    played = dict(
        run_episodes(
            lambda rows: np.zeros((len(rows), 1)), maker, seeds, 4, stepping=stepping(2), mishaps=mishaps, spare=spare
        )
    )
    assert [played[i].seed for i in range(6)] == [101, *good, 102]
    for trajectory in played.values():
        assert trajectory.observations[:, TIME].tolist() == list(range(len(trajectory) + 1))
        assert set(trajectory.observations[:, NAME].tolist()) == {trajectory.seed}
    assert mishaps.failures == 2 and 2 <= mishaps.discarded <= 4


def test_without_another_seed_the_failure_is_raised_and_what_ended_before_is_kept() -> None:
    kept = []
    with pytest.raises(EnvironmentFailure, match="the arm broke"):
        for _, trajectory in run_episodes(
            lambda rows: np.zeros((len(rows), 1)),
            EnvMaker(FLAKY, {"fault": "raise", "at": 5}),
            [4, 15],  # four steps in the one, five in the other
            2,
            mishaps=Mishaps(9, lambda text: None),
        ):
            kept.append(trajectory.seed)
    assert kept == [4]


@pytest.fixture
def parent() -> Iterator[Any]:
    """``parent(code)``: another process that makes environments in workers; yields it and the ids of those."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> tuple[subprocess.Popen[str], list[int]]:
        script = (
            "import sys, numpy as np\n"
            "from gailkit.rollouts.workers.pool import InWorkers\n"
            "from flaky import Flaky\n"
            "from functools import partial\n"
            "envs = InWorkers(partial(Flaky, 'hang', 2, 1), 2, 2, 60.0)\n"
            "print(*envs.pids, flush=True)\n" + code
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout is not None
        return process, [int(word) for word in process.stdout.readline().split()]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def gone(pids: list[int], within: float = 15.0) -> bool:
    """Whether none of these processes is there any more, soon."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes in /proc")


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent_however_that_ends(parent: Any, number: signal.Signals) -> None:
    process, pids = parent("import time; time.sleep(60)")
    assert len(pids) == 2 and all(map(alive, pids))
    process.send_signal(number)
    process.wait()
    assert gone(pids)


@linux
def test_not_even_one_that_hangs_or_whose_parent_forgot_it(parent: Any) -> None:
    step = "envs.reset(seed=[0, 1]); print('stepping', flush=True); envs.step(np.zeros((2, 1)))"  # an even one hangs
    hanging, pids = parent(step)
    assert hanging.stdout.readline() == "stepping\n"
    time.sleep(0.2)
    hanging.kill()
    hanging.wait()
    forgetful, others = parent("")
    assert forgetful.wait() == 0
    assert gone([*pids, *others])


@linux
def test_what_stops_the_parent_does_not_stop_the_workers() -> None:
    with closing(make_vector_env(FLAKY, 2, None, stepping(2))) as envs:
        assert isinstance(envs, InWorkers)
        envs.reset(seed=1)
        for pid in envs.pids:
            assert os.getpgid(pid) != os.getpgrp()  # where a terminal's Ctrl-C does not reach
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        infos = envs.step(np.zeros((2, 1)))[-1]
        assert infos == {}
        pids = envs.pids
    assert gone(pids, 1.0)


def test_workers_do_without_torch() -> None:
    make_vector_env(FLAKY, 2, {"fault": "torch", "every": 1, "at": 9}, stepping(2)).close()
    with pytest.raises(EnvironmentFailure, match="AssertionError"):
        make_vector_env(FLAKY, 2, {"fault": "torch", "every": 1, "at": 9})


def test_what_no_other_process_can_make_is_refused_with_what_can_be_done() -> None:
    with pytest.raises(InputError, match=r"cannot be handed to worker processes .* or with one worker, which is this"):
        InWorkers(lambda: None, 2, 2, 60.0)
    with pytest.raises(InputError, match=r"no environment is called 'CartPol-v1'; near matches: CartPole-v1"):
        make_vector_env("CartPol-v1", 2, None, stepping(2))


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"workers": 0}, "workers must be auto or a whole number, 1 or more; found 0"),
        ({"workers": "many"}, "workers must be auto or a whole number, 1 or more; found 'many'"),
        ({"workers": 1.5}, "workers must be auto or a whole number, 1 or more; found 1.5"),
        ({"step_timeout": 0}, "a step's time-out must be a number of seconds above 0; found 0"),
        ({"restarts": -1}, "the number of restarts must be a whole number, 0 or more; found -1"),
    ],
)
def test_what_is_no_setting_is_refused(kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        Stepping(**kwargs)
    assert str(refused.value) == said


def test_more_workers_than_environments_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^3 workers are more than the 2 environments .*; accepted are 1 to 2, or auto$"
    ):
        make_vector_env("CartPole-v1", 2, None, stepping(3))


@pytest.mark.parametrize("awake", [0.0, 1.0])
def test_a_command_arrives_whether_it_is_waited_for_awake_or_asleep(
    awake: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[None] = []
    monkeypatch.setattr(wire, "_let_others", lambda: looked.append(None))
    commands, other_end = os.pipe()
    timer = threading.Timer(0.05, os.write, (other_end, wire.STEP))
    timer.start()
    began = time.perf_counter()
    assert wire.receive(commands, awake) == wire.STEP
    assert 0.04 < time.perf_counter() - began < 1.0  # as soon as it is there
    assert (len(looked) > 10) == (awake > 0.0)
    timer.join()
    os.close(other_end)
    assert wire.receive(commands, awake) == b""  # nobody is there any more
    os.close(commands)


def test_workers_wait_asleep_for_a_learner_that_takes_its_time() -> None:
    with closing(InWorkers(EnvMaker("CartPole-v1"), 2, 2, 60.0)) as envs:
        envs.reset(seed=0)
        envs.step(np.zeros(2, np.int64))
        time.sleep(0.2)
        before = [seconds_of(pid) for pid in envs.pids]
        time.sleep(0.5)
        assert [seconds_of(pid) for pid in envs.pids] == before


def seconds_of(pid: int) -> float:
    """Of a processor, that a process has had."""
    if not (stat := Path(f"/proc/{pid}/stat")).exists():
        pytest.skip("this system does not tell of other processes")
    numbers = stat.read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
