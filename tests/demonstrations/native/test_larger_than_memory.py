"""Demonstrations that stay in their file say and give the same as those in memory; every step once an epoch, none
preferred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.episodes import HeldEpisodes
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.native import windows
from gailkit.demonstrations.native.larger_than_memory import StoredEpisodes
from gailkit.errors import DataError, InputError
from gailkit.types import Transitions

Make = Callable[..., Demonstrations]
ROW_BYTES = 8 + 8  # an observation of two float32, an action of int64


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 4 steps, windows of 3 blocks."""
    monkeypatch.setattr(windows, "BLOCK_BYTES", 4 * ROW_BYTES)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 3 * 4 * ROW_BYTES)


def reopened(demonstrations: Demonstrations, path: Path, **options: object) -> Demonstrations:
    demonstrations.save(path)
    found = Demonstrations.load(path, ReadOptions(**options), memory=0)
    assert isinstance(found.trajectories, StoredEpisodes)
    return found


def rows(steps: Transitions) -> list[tuple[float, ...]]:
    """Every step as one tuple of all that it holds."""
    columns = (steps.obs, steps.act[:, None], steps.next_obs, steps.terminated[:, None])
    return [tuple(row) for row in torch.cat([column.double() for column in columns], dim=1).tolist()]


def epoch(demonstrations: Demonstrations, batch_size: int, generator: torch.Generator) -> list[tuple[float, ...]]:
    """As many steps as there are, in batches of at most ``batch_size``."""
    missing, drawn = demonstrations.num_kept, []
    while missing:
        drawn += rows(demonstrations.sample(min(batch_size, missing), generator))
        missing -= min(batch_size, missing)
    return drawn


@settings(max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=8), k=st.integers(1, 7), data=st.data())
def test_every_kept_step_comes_exactly_once_an_epoch(
    make_demonstrations: Make, tmp_path: Path, small_blocks: None, lengths: list[int], k: int, data: st.DataObject
) -> None:
    held = make_demonstrations(lengths)
    count = data.draw(st.integers(1, len(lengths)))
    chosen = held.choose(count, seed=1).subsample(k, seed=2)
    same = reopened(held, tmp_path / "d.hdf5").choose(count, seed=1).subsample(k, seed=2)
    assert (same.num_kept, same.num_steps, same.offsets) == (chosen.num_kept, chosen.num_steps, chosen.offsets)
    generator = torch.Generator().manual_seed(0)
    batch_size = data.draw(st.integers(1, 50))
    for _ in range(3):
        assert sorted(epoch(same, batch_size, generator)) == sorted(rows(chosen.transitions()))


def test_what_is_known_of_the_episodes_is_the_same(make_demonstrations: Make, tmp_path: Path) -> None:
    held = make_demonstrations([3, 9, 4, 30])
    same = reopened(held, tmp_path / "d.hdf5")
    assert isinstance(held.trajectories, HeldEpisodes)
    assert same.digests() == held.digests()
    assert np.array_equal(same.returns(), held.returns())
    assert (same.num_steps, same.num_terminated, same.about) == (held.num_steps, held.num_terminated, held.about)
    for one, other in ((same, held), (same.split(0.5, 3)[1], held.split(0.5, 3)[1])):
        assert [t.seed for t in one.trajectories] == [t.seed for t in other.trajectories]
        assert np.array_equal(one.trajectories[-1].observations, other.trajectories[-1].observations)
        assert len(one.trajectories[0:2]) == 2
    same.save(tmp_path / "again.hdf5")
    assert (tmp_path / "again.hdf5").read_bytes() == (tmp_path / "d.hdf5").read_bytes()


def test_without_actions_every_state_and_the_next_come_as_from_memory(
    make_demonstrations: Make, tmp_path: Path, small_blocks: None
) -> None:
    held = make_demonstrations([7, 1, 12]).without_actions()
    same = reopened(held, tmp_path / "d.hdf5")
    assert not same.has_actions
    generator = torch.Generator().manual_seed(0)
    drawn = Transitions.joined([same.sample(5, generator) for _ in range(4)])

    def pairs(steps: Transitions) -> list[list[float]]:
        return sorted(torch.cat([steps.obs, steps.next_obs], dim=1).tolist())

    assert pairs(drawn) == pairs(held.transitions()) and drawn.act.shape == (20, 0)
    with pytest.raises(InputError, match="gailkit data convert --without-actions"):
        same.without_actions()


def test_no_step_is_preferred_at_any_time_of_an_epoch(
    make_demonstrations: Make, tmp_path: Path, small_blocks: None
) -> None:
    """The mean time at which a step comes in 400 epochs is uniform: its z-score is that of a mean of uniform draws."""
    demonstrations = reopened(make_demonstrations([7, 1, 12, 20]), tmp_path / "d.hdf5")
    generator = torch.Generator().manual_seed(0)
    count, epochs = demonstrations.num_kept, 400
    times: dict[tuple[float, ...], float] = {}
    for _ in range(epochs):
        for time, step in enumerate(epoch(demonstrations, count, generator)):
            times[step] = times.get(step, 0.0) + (time + 0.5) / count
    scores = (np.array(list(times.values())) / epochs - 0.5) / np.sqrt(1 / 12 / epochs)
    assert len(scores) == count
    assert np.abs(scores).max() < 4.5  # of 40 standard normal numbers; 4.5 comes once in 3700 such tests
    assert 0.5 < scores.std() < 1.5


def test_a_window_mixes_its_blocks(make_demonstrations: Make, tmp_path: Path, small_blocks: None) -> None:
    """Within a window of 3 blocks of 4 steps neighbours in time come apart as random order has it."""
    demonstrations = reopened(make_demonstrations([240]), tmp_path / "d.hdf5")
    generator = torch.Generator().manual_seed(0)
    together = []
    for _ in range(30):
        blocks = np.array([step[1] // 4 for step in epoch(demonstrations, 12, generator)]).reshape(-1, 12)
        assert (np.sort(blocks, axis=1).reshape(len(blocks), 3, 4).std(axis=2) == 0).all()  # whole blocks
        together.append((blocks[:, 1:] == blocks[:, :-1]).mean())
    assert np.mean(together) == pytest.approx(3 / 11, abs=0.02)  # of the 11 others in a window, 3 are of one's block


def test_the_same_seed_draws_the_same(make_demonstrations: Make, tmp_path: Path, small_blocks: None) -> None:
    held = make_demonstrations([30, 5])
    first, second, third = (
        epoch(reopened(held, tmp_path / "d.hdf5"), 8, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first == second != third


def test_what_the_caller_says_of_endings_counts(make_demonstrations: Make, tmp_path: Path) -> None:
    found = reopened(make_demonstrations([5, 4, 3, 5, 4, 5]), tmp_path / "d.hdf5", max_episode_steps=5)
    assert [trajectory.terminated for trajectory in found.trajectories] == [False, True, False, False, False, False]
    assert found.provenance["endings"] == "read 2 as truncated, by --max-episode-steps 5"
    assert found.num_terminated == found.sample(26, torch.Generator()).terminated.sum() == 1


def test_only_a_native_file_stays_where_it_is(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "flat.hdf5", "w") as file:
        for name in ("observations", "actions", "rewards", "terminals", "timeouts"):
            file[name] = np.ones((3, 1))
    loaded = Demonstrations.load(tmp_path / "flat.hdf5", memory=0)
    assert isinstance(loaded.trajectories, HeldEpisodes)


def test_damage_is_met_before_anything_is_drawn(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([4] * 25).save(path)
    with h5py.File(path, "r+") as file:
        file["observations"][5 * 3 + 2, 1] += 1
    with pytest.raises(DataError, match=r"d\.hdf5: episode 3 of 25: it is damaged"):
        Demonstrations.load(path, memory=0)


def test_a_file_that_is_replaced_meanwhile(make_demonstrations: Make, tmp_path: Path) -> None:
    demonstrations = reopened(make_demonstrations([9, 9]), tmp_path / "d.hdf5")
    make_demonstrations([2]).save(tmp_path / "d.hdf5")
    for _ in range(2):  # the second time, too
        with pytest.raises(DataError, match=r"d\.hdf5 has changed since it was opened"):
            demonstrations.sample(1, torch.Generator())
    with pytest.raises(DataError, match="episode 1 of 2 has changed since the file was opened"):
        demonstrations.trajectories[1]


def test_actions_outside_the_set_are_refused(make_demonstrations: Make, tmp_path: Path) -> None:
    held = make_demonstrations([9, 9])
    demonstrations = reopened(
        Demonstrations(held.trajectories, held.observation_space, None, "Numbers-v0"), tmp_path / "d.hdf5"
    )
    with pytest.raises(InputError, match=r"holds actions from 0 to 1; the space is Discrete\(1\)"):
        replace(demonstrations, action_space=Discrete(1)).sample(4, torch.Generator())
