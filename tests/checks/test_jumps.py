"""Steps that lead where no step could show; those of real environments do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.checks.endings import steps_left_out
from gailkit.checks.finding import Unchecked
from gailkit.checks.jumps import jumps, unmarked_ends
from gailkit.checks.movement import Movement
from gailkit.checks.run import check_all
from gailkit.checks.subject import Endings, Subject, read_subject
from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.types import Trajectory

MakeSubject = Callable[..., Subject]


def joined(trajectories: list[Trajectory]) -> Trajectory:
    """One trajectory of all steps, as a file without marks tells it."""
    seen = [each.observations[:-1] for each in trajectories] + [trajectories[-1].observations[-1:]]
    done = np.concatenate([each.actions for each in trajectories])
    return Trajectory(np.concatenate(seen), done, None, False)


@pytest.mark.parametrize(
    "env_id", ["Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "CartPole-v1", "Acrobot-v1", "Hopper-v5"]
)
def test_real_steps_are_no_jumps(
    env_id: str, played: Callable[[str], list[Trajectory]], subject_of: MakeSubject
) -> None:
    found = jumps(subject_of(played(env_id)), None)
    assert found == [] or isinstance(found, Unchecked)


def test_episodes_stored_as_one_show(repository: Path, subject_of: MakeSubject) -> None:
    """All episodes have 200 steps: wherever a jump is found, it is at one of their ends."""
    unmarked = Endings(unmarked="a question", assumed=("--max-episode-steps", "none"))
    whole = joined(list(Demonstrations.load(repository / "datasets" / "pendulum-v1.hdf5").trajectories)[:20])
    subject = subject_of([whole], endings=unmarked)
    (found,) = jumps(subject, None)
    assert (found.severity, found.episodes) == ("warning", (0,))
    (asked,) = unmarked_ends(subject, None)
    for said in (found, asked):
        assert said.mend is not None and said.mend.endswith("--max-episode-steps 200")
    assert "multiples of 200," in found.found
    marked = subject_of([whole])
    assert jumps(marked, None)[0].mend is None and unmarked_ends(marked, None) == []


def test_a_single_feature_that_wraps_is_no_jump(subject_of: MakeSubject) -> None:
    angle = np.cumsum(np.full(400, 0.1))
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    speed = 0.1 + 0.01 * np.sin(angle)
    seen = np.stack([wrapped, speed, np.cos(angle)], axis=1)
    assert jumps(subject_of([Trajectory(seen, np.zeros((399, 1)), None, False)]), None) == []


def test_what_cannot_be_told_is_not(subject_of: MakeSubject, walks: Callable[..., list[Trajectory]]) -> None:
    assert isinstance(jumps(subject_of(walks([20])), None), Unchecked)
    choices = Trajectory(np.arange(301) % 7, np.zeros(300, int), None, False)
    assert isinstance(jumps(subject_of([choices]), None), Unchecked)
    assert jumps(subject_of(walks([300])), None) == []


def test_actions_may_have_any_shape_but_no_named_parts(subject_of: MakeSubject) -> None:
    """A walk of small steps that goes on 1000 away after its 199th: only the step that leads there is a jump."""
    seen = np.random.default_rng(0).normal(size=(401, 3)).cumsum(0)
    seen[200:] += 1000.0
    whole, square = np.zeros(400, int), np.zeros((400, 2, 2))
    named = np.zeros(400, dtype=[("a", "f4"), ("b", "f4", (2,))])
    for done in (whole, square):
        assert {k: v.tolist() for k, v in (subject_of([Trajectory(seen, done, None, False)]).jumps or {}).items()} == {
            0: [200]
        }
    parts = subject_of([Trajectory(seen, named, None, False)])
    assert parts.jumps is None and isinstance(jumps(parts, None), Unchecked)


def test_how_steps_lead_is_learned_once_for_all_checks(
    subject_of: MakeSubject, walks: Callable[..., list[Trajectory]], monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []
    of = Movement.of
    monkeypatch.setattr(Movement, "of", lambda trajectories: learned.append(len(trajectories)) or of(trajectories))
    unmarked = Endings(unmarked="a question", assumed=("--max-episode-steps", "none"))
    check_all(subject_of(walks([300]), endings=unmarked), None)
    check_all(subject_of(walks([300]), endings=Endings(unmarked="a question")), None)
    assert learned == [1, 1]


def test_nobody_is_asked_but_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        file["observations"], file["actions"] = np.arange(20.0).reshape(10, 2), np.zeros((10, 1))
        file["rewards"], file["terminals"] = np.zeros(10), np.arange(10) == 6
    subject = read_subject(tmp_path / "d.hdf5", ReadOptions())
    assert subject.endings.assumed == ("--max-episode-steps", "none")
    assert list(map(len, subject.trajectories)) == [7, 2]
    (found,) = unmarked_ends(subject, None)
    assert (found.severity, found.mend) == ("error", None) and "--max-episode-steps N" in found.found
    assert steps_left_out(subject, None) == []
    limited = read_subject(tmp_path / "d.hdf5", ReadOptions(), time_limit=3)
    assert list(map(len, limited.trajectories)) == [2, 2, 1, 2] and limited.endings.unmarked
    (found,) = unmarked_ends(limited, None)
    assert found.mend is not None and found.mend.endswith("--max-episode-steps 3")
    told = read_subject(tmp_path / "d.hdf5", ReadOptions(max_episode_steps=2))
    assert list(map(len, told.trajectories)) == [1, 1, 1, 1, 1]  # of the fourth, which terminated, nothing is lost
    (gone,) = steps_left_out(told, None)
    assert gone.episodes == (5,) and gone.found.startswith("1 of 6 episodes left out: 5 (one step")


@pytest.mark.parametrize("name", ["cartpole-v1", "mountaincar-v0", "pendulum-v1"])
def test_the_projects_own_files_have_none(repository: Path, name: str, subject_of: MakeSubject) -> None:
    found = Demonstrations.load(repository / "datasets" / f"{name}.hdf5")
    assert jumps(subject_of(list(found.trajectories)[:30]), None) == []


@pytest.mark.parametrize("name", ["CartPole-v1", "HalfCheetah-v5", "Hopper-v5", "MountainCar-v0"])
def test_the_experts_of_the_paper_have_none(experts_folder: Path, name: str, subject_of: MakeSubject) -> None:
    found = Demonstrations.load(experts_folder / "paper" / f"{name}.hdf5")
    assert jumps(subject_of(list(found.trajectories)), None) == []
    assert name == "HalfCheetah-v5" or jumps(subject_of([joined(list(found.trajectories))]), None) != []
