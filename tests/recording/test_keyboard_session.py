"""A person's episodes without a person: which keys begin, keep, repeat and take back, and that nothing kept is lost."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st

from gailkit.errors import EnvironmentFailure
from gailkit.experts.keys_to_actions import SESSION_KEYS, choose_keys
from gailkit.recording.keyboard_session import AGAIN, KEEP, PAUSE, QUIT, UNDO, KeyboardSession, Phase
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Trajectory

GRACE = 2


class Counting(gymnasium.Env[np.ndarray, np.int64]):
    """An episode of three steps whose observations are (seed, step); even seeds terminate, odd ones are truncated."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None
        self.state = np.array([seed, 0], np.float32)
        return self.state, {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.state[1] += 1
        if self.state[0] == 666:
            raise RuntimeError("the floor gave way")
        ended, even = bool(self.state[1] == 3), self.state[0] % 2 == 0
        return self.state, 0.5, bool(ended and even), bool(ended and not even), {}


class Shelf:
    """A ledger that remembers what is on it, and whether that was made durable."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, Trajectory]] = []
        self.durable = True

    def add(self, index: int, trajectory: Trajectory) -> None:
        assert index not in [held for held, _ in self.kept]
        self.kept.append((index, trajectory))
        self.durable = False

    def flush(self) -> None:
        self.durable = True

    def undo(self) -> Trajectory | None:
        return self.kept.pop()[1] if self.kept else None

    @property
    def seeds(self) -> list[int | None]:
        return [trajectory.seed for _, trajectory in self.kept]


class Player:
    """Fingers on the keys of a session: "left" is a tap, "+left" presses, "-left" releases, "." is a tick."""

    def __init__(self, seeds: list[int], keys: str | None = None) -> None:
        self.shelf = Shelf()
        space = Counting.action_space
        self.session = KeyboardSession(Counting(), choose_keys(keys, space, "Any-v0"), seeds, self.shelf, GRACE)

    def does(self, words: str) -> Player:
        for word in words.split():
            if word == ".":
                self.session.tick()
                continue
            if not word.startswith("-"):
                self.session.press(word.lstrip("+"))
            if not word.startswith("+"):
                self.session.release(word.lstrip("-"))
        return self

    @property
    def phase(self) -> Phase:
        return self.session.phase


PLAY = f"right {'. ' * (3 + GRACE)}"  # one episode, up to where its answer counts


def test_an_episode_begins_with_the_first_key_and_not_before() -> None:
    player = Player([4]).does(". . x . space .")
    assert (player.phase, player.session.standing().steps) == (Phase.READY, 0)
    player.does("right . .")
    assert (player.phase, player.session.standing().steps) == (Phase.PLAYING, 2)
    assert Player([4]).does(f"{KEEP} .").session.standing().steps == 1


def test_a_kept_episode_is_what_a_policy_would_have_recorded() -> None:
    seeds = [4, 7]
    by_hand = Player(seeds).does(f"+right . . . -right {'. ' * GRACE} {KEEP} +right . . . . . {KEEP}").shelf
    wanted = collect_episodes(lambda obs: np.full(len(obs), 2), Counting, seeds)
    for (index, one), other in zip(by_hand.kept, wanted, strict=True):
        assert one.seed == seeds[index]
        assert one.rewards is not None
        assert other.rewards is not None
        for name in ("observations", "actions", "rewards"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        assert one.terminated == other.terminated


def test_keys_held_and_keys_tapped_between_two_ticks_both_count() -> None:
    player = Player([4]).does(f"right . +left . right . . . {KEEP}")
    # tapped right; left held; right tapped while left is held
    assert player.shelf.kept[0][1].actions.tolist() == [2, 0, 2]


def test_without_a_key_the_environment_goes_on_or_waits() -> None:
    assert Player([4]).does(f"right . . . . . {KEEP}").shelf.kept[0][1].actions.tolist() == [2, 1, 1]
    player = Player([4], "left=0,right=2,none=wait").does("right . . . .")
    assert player.session.standing().steps == 1
    player.does(f"left . . left . . . {KEEP}")
    assert player.shelf.kept[0][1].actions.tolist() == [2, 0, 0]


@pytest.mark.parametrize("key", ["right", KEEP])
def test_it_is_kept_at_once_and_durably(key: str) -> None:
    player = Player([4, 5]).does(PLAY)
    assert player.phase is Phase.ENDED
    player.does(key)
    assert (player.shelf.seeds, player.shelf.durable, player.phase) == ([4], True, Phase.READY)


@pytest.mark.parametrize("key", ["left", AGAIN])
def test_tried_again_it_starts_from_the_same_seed(key: str) -> None:
    player = Player([4, 5]).does(f"{PLAY} {key} {PLAY} {KEEP} {PLAY} {KEEP}")
    assert player.shelf.seeds == [4, 5]
    assert [index for index, _ in player.shelf.kept] == [0, 1]


def test_whoever_still_taps_when_the_episode_ends_has_not_answered() -> None:
    player = Player([4, 5]).does("right . . . right left . right")
    assert (player.phase, player.shelf.seeds) == (Phase.ENDED, [])
    player.does(". right")
    assert player.shelf.seeds == [4]


def test_the_key_that_kept_an_episode_does_not_begin_or_steer_the_next() -> None:
    player = Player([4, 5], "left=0,right=2,none=1").does(f"{PLAY} +right -right . .")
    assert player.phase is Phase.READY
    player.does(f"left . . . . . {KEEP}")
    assert player.shelf.kept[1][1].actions.tolist() == [0, 1, 1]


def test_a_paused_episode_does_not_move_and_forgets_what_was_tapped() -> None:
    player = Player([4]).does(f"right . {PAUSE} . . left .")
    assert (player.phase, player.session.standing().steps) == (Phase.PAUSED, 1)
    player.does(f"left {PAUSE} . . . . {KEEP}")
    assert player.shelf.kept[0][1].actions.tolist() == [2, 1, 1]


def test_turning_away_pauses_only_what_is_under_way() -> None:
    player = Player([4])
    player.session.pause()
    assert player.phase is Phase.READY
    player.does("right .").session.pause()
    assert player.phase is Phase.PAUSED


def test_an_episode_under_way_can_be_started_over() -> None:
    player = Player([4, 5]).does(f"right . . {AGAIN}")
    assert (player.phase, player.session.standing().steps) == (Phase.READY, 0)
    assert player.does(f"{PLAY} {KEEP}").shelf.seeds == [4]


def test_what_was_taken_back_comes_next_and_what_was_begun_after_it() -> None:
    player = Player([4, 5, 6]).does(f"{PLAY} {KEEP} {PLAY} {KEEP} {UNDO}")
    assert (player.shelf.seeds, player.session.standing().kept) == ([4], 1)
    player.does(f"{PLAY} {KEEP} {PLAY} {KEEP}")
    assert (player.shelf.seeds, player.phase) == ([4, 5, 6], Phase.COMPLETE)


def test_taking_back_does_not_answer_for_an_episode_that_has_ended() -> None:
    player = Player([4, 5]).does(f"{PLAY} {KEEP} {PLAY} {UNDO}")
    assert (player.phase, player.shelf.seeds) == (Phase.ENDED, [])
    player.does(f"{KEEP} {PLAY} {KEEP}")
    assert player.shelf.seeds == [5, 4]
    assert [index for index, _ in player.shelf.kept] == [1, 0]


def test_the_last_episode_too_can_be_taken_back() -> None:
    player = Player([4]).does(f"{PLAY} {KEEP}")
    assert player.phase is Phase.COMPLETE
    assert player.does(UNDO).phase is Phase.READY
    assert player.does(f"{PLAY} {KEEP} {KEEP}").phase is Phase.CLOSED
    assert player.shelf.seeds == [4]


def test_with_nothing_kept_there_is_nothing_to_take_back() -> None:
    assert Player([4]).does(UNDO).phase is Phase.READY


def test_quitting_gives_up_the_episode_under_way_and_nothing_else() -> None:
    player = Player([4, 5]).does(f"{PLAY} {KEEP} right . {QUIT}")
    assert (player.phase, player.shelf.seeds, player.shelf.durable) == (Phase.CLOSED, [4], True)


def test_what_is_told_is_what_happened() -> None:
    standing = Player([4, 5]).does(f"{PLAY} {KEEP} right . .").session.standing()
    assert (standing.steps, standing.episode_return, standing.kept, standing.wanted) == (2, 1.0, 1, 2)
    assert [Player([seed]).does(PLAY).session.standing().terminated for seed in (4, 5)] == [True, False]


def test_an_environment_that_fails_says_where_and_keeps_what_was_kept() -> None:
    player = Player([4, 666]).does(f"{PLAY} {KEEP}")
    with pytest.raises(
        EnvironmentFailure, match=r"step 1 of the episode with seed 666 .*: RuntimeError: the floor gave"
    ):
        player.does("right .")
    assert (player.shelf.seeds, player.shelf.durable) == ([4], True)


KEYS = ("left", "right", "down", "x", *(key for key in SESSION_KEYS if key != QUIT))
WORDS = st.sampled_from([".", *KEYS, *(f"{way}{key}" for way in "+-" for key in ("left", "right", "return"))])


@given(st.lists(WORDS, max_size=120), st.integers(1, 4))
def test_whatever_is_pressed_no_episode_is_lost_kept_twice_or_forgotten(words: list[str], wanted: int) -> None:
    seeds = list(range(10, 10 + wanted))
    player = Player(seeds).does(" ".join(words))
    kept = {index: trajectory.seed for index, trajectory in player.shelf.kept}
    assert all(seeds[index] == seed for index, seed in kept.items())
    assert player.shelf.durable
    assert player.session.standing().kept == len(kept)
    if player.phase is not Phase.CLOSED:  # from anywhere on, keeping every episode ends with each kept once
        for key in SESSION_KEYS:
            player.does(f"-{key}")
        if player.phase is Phase.PAUSED:
            player.does(PAUSE)
        while player.phase is not Phase.COMPLETE:
            player.does("x right" if player.phase is Phase.READY else f". {KEEP}")
    assert sorted(index for index, _ in player.shelf.kept) == list(range(wanted))
