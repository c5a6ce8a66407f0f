"""Which steps are drawn, how often, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary

from gailkit.demonstrations import Demonstrations, dataset
from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.types import Trajectory

Make = Callable[..., Demonstrations]


def episode_and_time(demonstrations: Demonstrations) -> list[list[int]]:
    """[episode, time] of every kept step, which is what the numbered observations hold."""
    rows: list[list[int]] = demonstrations.transitions().obs.long().tolist()
    return rows


def episodes(demonstrations: Demonstrations) -> list[int]:
    return [int(trajectory.observations[0, 0]) for trajectory in demonstrations.trajectories]


def test_transitions_are_every_step_with_its_successor_and_end(make_demonstrations: Make) -> None:
    steps = make_demonstrations([2, 3]).transitions()
    assert steps.obs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]
    assert steps.next_obs.tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [1, 3]]
    assert steps.act.tolist() == [0, 1, 0, 1, 0]
    assert steps.terminated.tolist() == [False, False, False, False, True]  # episode 0 was truncated
    assert (steps.obs.dtype, steps.act.dtype) == (torch.float32, torch.int64)


def test_counts_and_returns(make_demonstrations: Make) -> None:
    demonstrations = make_demonstrations([4, 6, 2])
    assert (demonstrations.num_steps, demonstrations.num_kept, demonstrations.num_terminated) == (12, 12, 1)
    returns = demonstrations.returns()
    assert returns is not None and returns.tolist() == [4, 6, 2]
    silent = tuple(replace(trajectory, rewards=None) for trajectory in demonstrations.trajectories)
    assert replace(demonstrations, trajectories=silent).returns() is None


def test_subsampling_keeps_every_kth_step_from_the_offset(make_demonstrations: Make) -> None:
    kept = replace(make_demonstrations([7, 5]), stride=3, offsets=(1, 0))
    assert episode_and_time(kept) == [[0, 1], [0, 4], [1, 0], [1, 3]]  # 1, 4 of 0..6 and 0, 3 of 0..4
    assert kept.transitions().next_obs.tolist() == [
        [0, 2],
        [0, 5],
        [1, 1],
        [1, 4],
    ]  # the true successor, not the next kept
    assert not kept.transitions().terminated.any()  # step 4, where episode 1 terminates, is not among them
    last = replace(make_demonstrations([7, 5]), stride=4, offsets=(0, 0))
    assert last.transitions().terminated.tolist() == [False, False, False, True]


def test_subsample_begins_below_k_keeps_full_lengths_and_repeats_with_its_seed(make_demonstrations: Make) -> None:
    whole = make_demonstrations([100] * 200)
    kept = whole.subsample(20, seed=3)
    assert set(kept.offsets) == set(range(20))  # 200 draws miss one of 20 with probability below 20 * 0.95**200 = 7e-4
    assert kept.num_kept == 200 * 5
    assert (kept.stride, kept.num_steps) == (20, 200 * 100)
    assert whole.subsample(20, seed=3).offsets == kept.offsets != whole.subsample(20, seed=4).offsets
    assert kept.subsample(1).num_kept == whole.num_steps


def test_a_trajectory_shorter_than_k_keeps_one_step(make_demonstrations: Make) -> None:
    kept = make_demonstrations([2, 30, 1]).subsample(20, seed=0)
    assert [sum(row[0] == episode for row in episode_and_time(kept)) for episode in (0, 2)] == [1, 1]


def test_what_is_chosen_keeps_its_offsets(make_demonstrations: Make) -> None:
    kept = make_demonstrations([9, 8, 7, 6]).subsample(4, seed=1)
    of_each = dict(zip(episodes(kept), kept.offsets, strict=True))
    for part in (kept.choose(2), kept.choose(3, seed=5), *kept.split(0.5)):
        assert dict(zip(episodes(part), part.offsets, strict=True)).items() <= of_each.items()
        assert part.stride == 4


def test_choose_takes_the_first_or_random_ones(make_demonstrations: Make) -> None:
    demonstrations = make_demonstrations([2] * 30)
    assert episodes(demonstrations.choose(4)) == [0, 1, 2, 3]
    chosen = episodes(demonstrations.choose(10, seed=7))
    assert len(set(chosen)) == 10 and chosen == episodes(demonstrations.choose(10, seed=7))
    assert set(chosen) != set(episodes(demonstrations.choose(10, seed=8)))
    assert sorted(episodes(demonstrations.choose(30, seed=0))) == list(range(30))


@pytest.mark.parametrize("count", [0, -1, 4])
def test_choose_refuses_what_is_not_there(make_demonstrations: Make, count: int) -> None:
    with pytest.raises(InputError, match=rf"{count} trajectories were asked for; .* hold 3"):
        make_demonstrations([2, 2, 2]).choose(count)


@pytest.mark.parametrize("fraction, count", [(0.1, 2), (0.5, 10), (0.8, 16)])
def test_split_parts_are_disjoint_and_cover_everything(make_demonstrations: Make, fraction: float, count: int) -> None:
    first, second = make_demonstrations([3] * 20).split(fraction, seed=2)
    assert len(first.trajectories) == count
    assert sorted(episodes(first) + episodes(second)) == list(range(20))


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.9, 1.0, -1.0, float("nan")])
def test_split_refuses_an_empty_part(make_demonstrations: Make, fraction: float) -> None:
    with pytest.raises(InputError, match="empty"):
        make_demonstrations([3, 3]).split(fraction)


def test_sampling_is_uniform_over_the_kept_steps(make_demonstrations: Make) -> None:
    kept = make_demonstrations([30, 9, 1]).subsample(2, seed=0)
    draws = 40_000  # far more than there are
    drawn = kept.sample(draws, torch.Generator().manual_seed(0)).obs.long()
    cells, counts = np.unique(drawn.numpy(), axis=0, return_counts=True)
    assert cells.tolist() == sorted(episode_and_time(kept))
    expected = draws / kept.num_kept
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = kept.num_kept - 1
    assert abs(chi_square - freedom) < 4 * np.sqrt(2 * freedom)  # mean and standard deviation of chi-square


def test_sampled_steps_are_whole_and_repeat_with_the_seed(make_demonstrations: Make) -> None:
    demonstrations = make_demonstrations([5, 8])
    drawn = demonstrations.sample(500, torch.Generator().manual_seed(1))
    assert torch.equal(drawn.next_obs - drawn.obs, torch.tensor([0.0, 1.0]).expand(500, 2))
    assert torch.equal(drawn.act, drawn.obs[:, 1].long() % 2)
    assert torch.equal(drawn.terminated, (drawn.obs == torch.tensor([1.0, 7.0])).all(dim=1))
    assert torch.equal(drawn.obs, demonstrations.sample(500, torch.Generator().manual_seed(1)).obs)


@pytest.mark.parametrize("number", [np.float64(1e300), np.uint64(2**63 + 5)])
def test_a_number_that_would_change_when_it_is_drawn_is_refused(number: np.generic) -> None:
    trajectory = Trajectory(np.array([[number], [number]]), np.zeros((1, 1)), None, False)
    with pytest.raises(InputError, match=r"a number is too large for (float32|int64)"):
        Demonstrations((trajectory,)).transitions()


@pytest.mark.parametrize(
    "stored, space, drawn",
    [
        (np.float64, None, torch.float32),
        (np.float16, None, torch.float32),
        (np.int32, None, torch.int64),
        (np.uint8, None, torch.uint8),
        (np.uint8, Box(0, 255, (2,), np.uint8), torch.uint8),  # images stay bytes until they reach a network
        (np.float64, Box(0, 255, (2,), np.float64), torch.float32),
    ],
)
def test_dtype_of_what_is_drawn(stored: type, space: Box | None, drawn: torch.dtype) -> None:
    trajectory = Trajectory(np.array([[1, 2], [3, 4]], dtype=stored), np.zeros((1, 1), np.float64), None, False)
    steps = Demonstrations((trajectory,), space).transitions()
    assert (steps.obs.dtype, steps.next_obs.dtype, steps.act.dtype) == (drawn, drawn, torch.float32)
    assert steps.obs.tolist() == [[1, 2]] and steps.next_obs.tolist() == [[3, 4]]


def trajectory(observation: float = 0.0, action: object = 0, rewards: bool = True) -> Trajectory:
    reward = np.ones(1) if rewards else None
    return Trajectory(np.full((2, 3), observation, np.float32), np.array([action]), reward, True)


@pytest.mark.parametrize(
    "trajectories, complaint",
    [
        ((), "at least one trajectory"),
        ((trajectory(action=1), trajectory(action=1.5)), "actions of all trajectories must have one kind and shape"),
        ((trajectory(), Trajectory(np.zeros((2, 4)), np.zeros(1, int), np.ones(1), True)), r"\(3,\).*\(4,\)"),
        ((trajectory(), trajectory(rewards=False)), "either all trajectories have rewards or none"),
        ((trajectory(action=None),), "plain numbers of at most 64 bits; found object"),
    ],
)
def test_trajectories_that_do_not_belong_together_are_refused(
    trajectories: tuple[Trajectory, ...], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        Demonstrations(trajectories)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"env_kwargs": {"size": object()}}, "plain JSON"),
        ({"env_kwargs": {"size": (1, 2)}}, "plain JSON"),  # would come back as a list
        ({"env_kwargs": {3: "x"}}, "plain JSON"),  # would come back as "3"
        ({"provenance": {"count": 3}}, "texts to texts"),
        ({"stride": 0}, "stride 0"),
        ({"stride": 2, "offsets": (0,)}, "1 offsets for 2 trajectories"),
        ({"stride": 2, "offsets": (0, 2)}, "offset 2"),
    ],
)
def test_what_is_not_plain_or_not_possible_is_refused(
    make_demonstrations: Make, change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        replace(make_demonstrations([3, 3]), **change)


class TestFittedTo:
    """The spaces of the numbered demonstrations are Box(2,) and Discrete(2)."""

    observations = Box(-np.inf, np.inf, (2,))
    actions = Discrete(2)

    def test_other_bounds_fit_and_the_environments_spaces_are_taken(self, make_demonstrations: Make) -> None:
        kept = make_demonstrations([6, 5]).subsample(3, seed=2)
        fitted = kept.fitted_to(self.observations, self.actions)
        assert (fitted.observation_space, fitted.action_space) == (self.observations, self.actions)
        assert (fitted.stride, fitted.offsets) == (kept.stride, kept.offsets)
        assert torch.equal(fitted.transitions().obs, kept.transitions().obs)

    @pytest.mark.parametrize(
        "space", [Box(-1, 1, (3,)), Box(-1, 1, (2, 1)), Box(0, 255, (2,), np.uint8), Discrete(2)], ids=str
    )
    @pytest.mark.parametrize("stated", [True, False], ids=["stated", "not stated"])
    def test_observations_that_do_not_fit(self, make_demonstrations: Make, space: Box | Discrete, stated: bool) -> None:
        demonstrations = make_demonstrations([3])
        if not stated:
            demonstrations = replace(demonstrations, observation_space=None)
        with pytest.raises(InputError) as refusal:
            demonstrations.fitted_to(space, self.actions)
        assert str(space) in str(refusal.value)
        assert str(demonstrations.observation_space if stated else (2,)) in str(refusal.value)

    @pytest.mark.parametrize("space", [Discrete(3), Discrete(2, start=1), Box(-1, 1, ()), Box(-1, 1, (1,))], ids=str)
    def test_actions_that_the_file_states_otherwise(self, make_demonstrations: Make, space: Box | Discrete) -> None:
        with pytest.raises(InputError, match="do not fit"):
            make_demonstrations([3]).fitted_to(self.observations, space)

    def test_a_stated_start_counts_also_where_the_actions_would_fit(self) -> None:
        always_one = Trajectory(np.zeros((2, 2), np.float32), np.array([1]), None, False)
        with pytest.raises(
            InputError, match=r"action space is Discrete\(2\), the environment's is Discrete\(2, start=1\)"
        ):
            Demonstrations((always_one,), None, Discrete(2)).fitted_to(self.observations, Discrete(2, start=1))

    @pytest.mark.parametrize("space", [Discrete(1), Discrete(2, start=1)], ids=str)
    def test_discrete_actions_outside_the_set(self, make_demonstrations: Make, space: Discrete) -> None:
        unstated = replace(make_demonstrations([1, 4]), action_space=None)
        with pytest.raises(InputError, match=r"in episode [01] they are int64 of shape \(\) and range from 0 to [01]"):
            unstated.fitted_to(self.observations, space)
        assert unstated.fitted_to(self.observations, Discrete(5)).action_space == Discrete(5)

    def test_continuous_actions_outside_the_box_fit(self) -> None:
        unclipped = Trajectory(np.zeros((2, 2), np.float32), np.array([[7.0]]), None, False)
        box = Box(-1, 1, (1,))
        assert Demonstrations((unclipped,)).fitted_to(self.observations, box).action_space == box

    def test_unsupported_space(self, make_demonstrations: Make) -> None:
        with pytest.raises(UnsupportedSpaceError, match="MultiBinary"):
            make_demonstrations([3]).fitted_to(MultiBinary(2), self.actions)


@pytest.mark.parametrize("memory", [None, 0], ids=["in memory", "in a file"])
@pytest.mark.parametrize("k", [1, 3])
def test_endings_are_the_last_steps_of_those_that_terminated_kept_or_not(
    make_demonstrations: Make, tmp_path: Path, memory: int | None, k: int
) -> None:
    make_demonstrations([4, 5, 6, 2, 3]).save(tmp_path / "demos.hdf5")
    demonstrations = Demonstrations.load(tmp_path / "demos.hdf5", memory=memory).subsample(k, seed=1)
    assert demonstrations.in_memory is (memory is None)
    endings = demonstrations.endings()
    assert endings is not None
    assert endings.obs.tolist() == [[1, 4], [3, 1]]  # episodes 1 and 3 terminate
    assert endings.next_obs.tolist() == [[1, 5], [3, 2]]
    assert endings.act.tolist() == [0, 1]
    assert endings.terminated.tolist() == [True, True]
    assert (endings.obs.dtype, endings.act.dtype) == (torch.float32, torch.int64)
    cut_off = demonstrations.pick([0, 2, 4])
    assert cut_off.num_terminated == 0
    assert cut_off.endings() is None


def test_of_too_many_endings_some_are_taken_from_the_first_to_the_last(
    make_demonstrations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "MOST_ENDINGS", 3)
    endings = make_demonstrations([2] * 18).endings()
    assert endings is not None
    assert endings.next_obs[:, 0].tolist() == [1, 9, 17]
