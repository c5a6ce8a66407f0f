"""How an episode ended is known, said or asked about; what came last is kept, made up visibly or left out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gailkit.demonstrations.endings import AmbiguousEnding
from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import DataError, InputError
from gailkit.types import Trajectory

HERE = Path("some.file")


def episode(steps: int, terminated: bool | None, with_last: bool = True) -> Episode:
    """Observes its time, acts its time, is paid its time."""
    times = np.arange(steps + with_last, dtype=np.float64)
    return Episode(times[:, None], times[:steps], times[:steps], terminated)


def conversion(*found: Episode | Broken, **options: object) -> Conversion:
    return Conversion(HERE, Contents(About(), len(found), iter(found), ("infos/x",)), ReadOptions(**options))


def shown(trajectory: Trajectory) -> tuple[list[float], list[float], bool]:
    return trajectory.observations[:, 0].tolist(), trajectory.actions.tolist(), trajectory.terminated


def test_the_question_tells_what_is_needed_to_answer_it() -> None:
    with pytest.raises(AmbiguousEnding) as asked:
        list(conversion(episode(3, True), episode(5, None), episode(7, None), episode(7, None)).strict())
    assert isinstance(asked.value, InputError)
    said = "some.file does not say how its episodes ended (2 of 3 after 7 steps, none after more; of 1 other it does)"
    assert said in str(asked.value)
    assert "--max-episode-steps 7" in str(asked.value) and "--ends" in str(asked.value)


def test_without_a_last_observation_each_action_keeps_its_true_successor() -> None:
    found = conversion(episode(3, True, False), episode(3, False, False), episode(1, False, False), episode(2, False))
    assert [shown(trajectory) for trajectory in found.strict()] == [
        ([0, 1, 2, 2], [0, 1, 2], True),
        ([0, 1, 2], [0, 1], False),
        ([0, 1, 2], [0, 1], False),
    ]
    assert found.notes() == {
        "conversion": "there are no last observations: the last step of 1 truncated episode was dropped, "
        "the last observation of 1 terminated episode repeated",
        "gone": "1 of 4 episodes left out: 2 (one step, of which nothing tells what followed it)",
        "left_out": "infos/x",
    }


def test_an_episode_without_a_step_is_left_out_whatever_is_asked_of_the_others() -> None:
    found = conversion(episode(0, None), episode(3, True), episode(0, None, False), episode(1, False, False))
    assert [shown(trajectory) for trajectory in found.strict()] == [([0, 1, 2, 3], [0, 1, 2], True)]
    assert found.notes()["gone"] == (
        "3 of 4 episodes left out: 0, 2 (no step); 3 (one step, of which nothing tells what followed it)"
    )
    assert "conversion" not in found.notes()  # nothing was shortened


def test_what_was_decided_and_left_behind_is_noted() -> None:
    found = conversion(episode(4, None), episode(2, None), episode(4, True), max_episode_steps=4)
    assert [trajectory.terminated for trajectory in found.strict()] == [False, True, False]
    assert found.notes() == {
        "endings": "read 1 as terminated, 2 as truncated, by --max-episode-steps 4",
        "left_out": "infos/x",
    }
    agreeing = conversion(episode(4, False), ends="truncated")
    assert len(list(agreeing.strict())) == 1 and "endings" not in agreeing.notes()


def test_a_broken_episode_is_named_or_passed_over() -> None:
    sick = episode(3, True)._replace(rewards=np.array([0, np.nan, 0]))
    short = episode(3, True)._replace(rewards=np.zeros(2))
    found = (episode(2, True), Broken("it burnt"), sick, short, episode(1, True))
    with pytest.raises(DataError, match=r"some\.file: episode 1 of 5: it burnt"):
        list(conversion(*found).strict())
    with pytest.raises(DataError, match=r"episode 0 of 1: rewards of a trajectory hold a number that is not finite"):
        list(conversion(sick).strict())
    passed = dict(conversion(*found).tolerant())
    assert [isinstance(passed[index], Broken) for index in range(5)] == [False, True, True, True, False]


def test_a_limit_that_an_episode_exceeds_is_none() -> None:
    found = conversion(episode(4, True), episode(6, True), max_episode_steps=5)
    with pytest.raises(
        InputError, match=r"some\.file: episode 1 has 6 steps, and the file marks where.* 5 was not the time limit"
    ):
        list(found.strict())


@pytest.mark.parametrize(
    "options",
    [{"max_episode_steps": 0}, {"max_episode_steps": 2.5}, {"max_episode_steps": -math.inf}, {"ends": "somehow"}],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="found"):
        ReadOptions(**options)
