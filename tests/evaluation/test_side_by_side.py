"""Two episodes beside each other, at the pace they had, and honest about what is not shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.evaluation import side_by_side as module
from gailkit.evaluation.side_by_side import (
    BAR,
    DIMMED,
    GAP,
    GROUND,
    HELD_SECONDS,
    LONGEST_SECONDS,
    MOST_BYTES,
    RATES,
    SIDE,
    TEXT,
    Animation,
    begins_like,
    side_by_side,
    typical,
)
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Trajectory

Climb = Callable[..., Trajectory]
LEFT, RIGHT = SIDE // 2, SIDE + GAP + SIDE // 2  # the middle of each panel


class Played(NamedTuple):
    frames: list[np.ndarray]  # (H, W, 3) float
    durations: list[int]  # ms


def played(animation: Animation) -> Played:
    frames, durations = [], []
    with Image.open(BytesIO(animation.content)) as image:
        assert (image.get_format_mimetype(), image.info["loop"]) == (animation.media_type, 0)
        shown = 0
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB"), dtype=np.float64))
            durations.append(int(image.info["timestamp"] + image.info["duration"]) - shown)
            shown += durations[-1]
    return Played(frames, durations)


def brightness(frames: list[np.ndarray], x: int) -> list[float]:
    """Of the picture around column ``x``, beneath the caption."""
    return [float(frame[BAR + 20 : -20, x - 20 : x + 20].mean()) for frame in frames]


def dimmed(value: float) -> float:
    return (1 - DIMMED) * value + DIMMED * GROUND[0]


def episode(steps: int, earned: float | None) -> Trajectory:
    rewards = None if earned is None else np.full(steps, earned / steps)
    return Trajectory(np.zeros((steps + 1, 1), np.float32), np.zeros(steps, np.int64), rewards, False)


def test_the_policy_is_at_the_left_and_the_shorter_episode_stays_on_its_last_state_dimmed(climb: Climb) -> None:
    animation = side_by_side("Climbing-v0", {}, climb(3, terminated=True), climb(6))
    frames, durations = played(animation)
    heights = [2, 3, 4, 5, 6, 7, 8]
    expected = [*(20 * height for height in heights[:3]), *[dimmed(20 * 5)] * 4]
    assert brightness(frames, LEFT) == pytest.approx(expected, abs=4)
    assert brightness(frames, RIGHT) == pytest.approx([*(20 * height for height in heights[:6]), dimmed(160)], abs=4)
    assert durations == [100] * 6 + [1000]  # 10 steps a second
    assert animation.seconds == sum(durations) / 1000
    assert {frame.shape for frame in frames} == {(animation.height, animation.width, 3)}
    assert (animation.width, animation.media_type) == (2 * SIDE + GAP, "image/webp")
    assert animation.note == "At the environment's own pace, 10 steps a second."


def test_captions_can_be_read_on_a_phone_and_leave_room_for_each_other() -> None:
    on_a_phone = (390 - 2 * 16) / (2 * SIDE + GAP)  # pixels there for one of the film
    assert TEXT * on_a_phone >= 11
    font = ImageFont.load_default(TEXT)
    longest = ("terminated after 1000 steps", "up to step 1000 of 1000")
    assert font.getlength("expert") + max(map(font.getlength, longest)) + 2 * 6 < SIDE


def test_captions_say_whose_it_is_which_step_and_how_it_ended(climb: Climb, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    drawn = module._panel

    def listen(picture: Image.Image, name: str, words: str) -> Image.Image:
        said.append((name, words))
        panel = drawn(picture, name, words)
        caption = np.asarray(panel, dtype=np.float64)[:BAR]
        assert caption[:, : SIDE // 2].min() < 120 > caption[:, SIDE // 2 :].min()  # dark letters on both sides
        return panel

    monkeypatch.setattr(module, "_panel", listen)
    monkeypatch.setattr(module, "RATES", (5.0,))  # every second of 10 steps a second
    side_by_side("Climbing-v0", {}, climb(2, terminated=True), climb(5))
    assert sorted(said) == [
        ("expert", "step 0"), ("expert", "step 2"), ("expert", "step 4"), ("expert", "truncated after 5 steps"),
        ("policy", "step 0"), ("policy", "terminated after 2 steps"),
    ]  # fmt: skip


def test_a_long_episode_is_shown_faster(climb: Climb, monkeypatch: pytest.MonkeyPatch) -> None:
    long = climb(200)  # 20 seconds
    animation = side_by_side("Climbing-v0", {}, long, climb(20))
    frames, durations = played(animation)
    assert animation.seconds == pytest.approx(LONGEST_SECONDS + HELD_SECONDS, abs=0.2)
    assert len(durations) <= LONGEST_SECONDS * RATES[0] + 1
    assert len(durations) == len(frames) == 101  # every second state, for 200 steps in 11 s are 18 a second
    assert animation.note == "1.8 times as fast as the environment's own pace, 10 steps a second."
    monkeypatch.setattr(module, "DRAWING_SECONDS", 0.0)
    slow = side_by_side("Climbing-v0", {}, long, climb(20))
    assert len(played(slow).frames) == 51  # as few as there may be: every fourth state
    assert slow.seconds == pytest.approx(animation.seconds, abs=0.2)


def test_an_expert_that_cannot_be_shown_leaves_the_policy_alone(climb: Climb) -> None:
    animation = side_by_side("Climbing-v0", {}, climb(3), replace(climb(5), seed=None))
    assert animation.width == SIDE
    assert brightness(played(animation).frames, LEFT) == pytest.approx([40, 60, 80, dimmed(100)], abs=4)
    assert animation.note.endswith(
        "The policy is shown alone, for the expert's episode was recorded without its seed, "
        "and observations of this environment do not show its state."
    )
    slipping = side_by_side("Climbing-v0", {"slips_at": 7}, climb(3), climb(6))
    assert slipping.width == SIDE
    assert "The policy is shown alone, for the environment failed while a recorded action" in slipping.note


def test_what_is_not_as_recorded_is_not_shown_and_told(climb: Climb) -> None:
    observations = climb(6).observations.copy()
    observations[4:] += 1
    animation = side_by_side("Climbing-v0", {}, replace(climb(6), observations=observations), climb(2))
    assert brightness(played(animation).frames, LEFT) == pytest.approx([40, 60, 80, dimmed(100)], abs=4)
    assert "The policy's episode leads elsewhere after 3 of 6 steps when it is replayed from seed 2" in animation.note


def test_a_policy_that_cannot_be_shown_is_refused(climb: Climb) -> None:
    with pytest.raises(InputError, match=r"^the policy's episode does not come out as recorded from seed 9, and"):
        side_by_side("Climbing-v0", {}, replace(climb(3), seed=9), climb(3))


def test_an_environment_that_cannot_be_drawn_says_so_in_a_sentence(
    climb: Climb, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"Undrawn-v0 cannot be shown with render_mode 'rgb_array'"):
        side_by_side("Undrawn-v0", {}, climb(3), climb(3))
    with pytest.raises(EnvironmentFailure, match=r"drew float32 of shape \(40, 60\); a frame is uint8 of shape"):
        side_by_side("Misdrawn-v0", {}, climb(3), climb(3))
    with pytest.raises(EnvironmentFailure, match=r"while it was drawn: RuntimeError: the paper tore"):
        side_by_side("Climbing-v0", {"tears_at": 4}, climb(3), climb(3))


def test_without_pygame_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = random_policy(make_env("CartPole-v1").action_space, 0)
    (trajectory,) = collect_episodes(policy, lambda: make_env("CartPole-v1"), [0])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pygame", None)
        patch.setattr("gymnasium.envs.classic_control.CartPoleEnv.close", lambda self: None)  # it looks for pygame too
        with pytest.raises(InputError, match=r"pip install 'gailkit\[classic\]'"):
            side_by_side("CartPole-v1", {}, trajectory, trajectory)


def test_what_is_too_large_is_shown_less_finely(climb: Climb, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = side_by_side("Noise-v0", {}, climb(10), climb(10))
    assert len(fine.content) < MOST_BYTES
    monkeypatch.setattr(module, "MOST_BYTES", len(fine.content) - 1)
    coarser = side_by_side("Noise-v0", {}, climb(10), climb(10))
    assert len(coarser.content) < len(fine.content)
    assert coarser[1:] == fine[1:]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_a_real_task_shows_two_different_episodes(env_id: str) -> None:
    policy = random_policy(make_env(env_id).action_space, 0)
    ours, other = (
        Trajectory(each.observations[:31], each.actions[:30], None, False, each.seed)
        for each in collect_episodes(policy, lambda: make_env(env_id), [0, 1])
    )
    animation = side_by_side(env_id, {}, ours, replace(other, seed=None))
    frames, durations = played(animation)
    left, right = (np.array([frame[BAR:, x : x + SIDE] for frame in frames]) for x in (0, SIDE + GAP))
    assert left.std(axis=0).max() > 10 < right.std(axis=0).max()  # both move
    assert np.abs(left[0] - right[0]).max() > 50
    pace = {"CartPole-v1": 50, "Pendulum-v1": 30}[env_id]
    longest = max(len(ours), len(other))
    assert sum(durations[:-1]) / 1000 == pytest.approx(longest / pace, abs=1 / RATES[0])
    assert "its states are set from its observations" in animation.note


def test_the_typical_episode_has_the_median_return_or_length() -> None:
    assert typical([episode(5, 30.0), episode(5, 10.0), episode(5, 20.0)]) == 2
    assert typical([episode(5, 30.0), episode(5, 10.0), episode(5, 20.0), episode(5, 40.0)]) == 2  # the lower of two
    assert typical([episode(9, 1.0), episode(1, None), episode(5, 2.0)]) == 2  # a return that is not known: lengths
    assert typical([episode(9, 1.0)]) == 0
    with pytest.raises(InputError, match="found none"):
        typical([])


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_no_more_than_half_of_the_episodes_earn_less_or_more_than_the_typical_one(returns: list[int]) -> None:
    chosen = returns[typical([episode(3, float(earned)) for earned in returns])]
    assert sum(earned < chosen for earned in returns) <= len(returns) / 2
    assert sum(earned > chosen for earned in returns) <= len(returns) / 2


def test_the_episode_that_begins_most_like_another_is_found_whatever_the_units() -> None:
    starts = np.array([[0.0, 0.0], [1.0, 900.0], [0.9, 100.0]])
    episodes = [Trajectory(np.array([start, start]), np.zeros(1), np.zeros(1), False) for start in starts]
    assert begins_like(np.array([1.0, 120.0]), episodes) == 2
    assert [begins_like(start, episodes) for start in starts] == [0, 1, 2]
