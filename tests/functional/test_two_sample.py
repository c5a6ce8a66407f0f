"""The test that tells two groups of episodes apart: exact where it says so, blind to what it has not been shown."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from gailkit.errors import InputError
from gailkit.functional.two_sample import (
    Waves,
    area_interval,
    area_under_curve,
    balanced_folds,
    fitted_weights,
    grouped_area,
    held_out_scores,
    labellings,
    permutation_p,
)


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_waves_and_numbers_have_mean_0_and_deviation_1_over_the_rows_and_a_constant_stays_0() -> None:
    rows = np.column_stack([draw().normal(5, 3, 200), np.full(200, 7.0)])
    values = Waves.over(rows, np.full(30, 0.5), draw(1))(rows)
    assert values.shape == (200, 2 + 30)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.delete(values.std(axis=0), 1), 1)
    np.testing.assert_allclose(values[:, 1], 0)
    np.testing.assert_allclose(values[:, 0], (rows[:, 0] - rows[:, 0].mean()) / rows[:, 0].std())


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_products_of_waves_are_the_gaussian_kernel(scale: float) -> None:
    """2 E cos(w x + b) cos(w y + b) = exp(-|x - y|^2 / (2 scale^2))."""
    rows = draw().normal(size=(40, 2))
    waves = Waves.over(rows, np.full(20_000, scale), draw(1))
    plain = (waves(rows) * waves.width + waves.center)[:, 2:]
    expected = np.exp(-((rows[:, None] - rows[None]) ** 2).sum(axis=2) / (2 * scale**2))
    np.testing.assert_allclose(2 * plain @ plain.T / 20_000, expected, atol=0.05)


@given(st.integers(2, 5), st.integers(5, 13), st.integers(5, 13), st.integers(0, 99))
def test_every_fold_has_its_share_of_both(folds: int, true: int, false: int, seed: int) -> None:
    labels = draw(seed).permutation(np.arange(true + false) < true)
    fold = balanced_folds(labels, folds, draw(seed))
    for label, count in ((True, true), (False, false)):
        shares = np.bincount(fold[labels == label], minlength=folds)
        assert set(shares.tolist()) <= {count // folds, -(-count // folds)}
    assert len(fold) == true + false


def test_folds_are_random_and_no_more_than_there_are_episodes() -> None:
    labels = np.arange(20) < 10
    assert (balanced_folds(labels, 5, draw(1)) != balanced_folds(labels, 5, draw(2))).any()
    for folds, true in ((1, 10), (4, 3), (4, 17)):
        with pytest.raises(InputError, match=rf"{folds} folds need at least 2 folds.*; found {min(true, 20 - true)}"):
            balanced_folds(np.arange(20) < true, folds, draw())


def test_labellings_are_the_true_one_and_permutations_that_leave_every_fold_its_counts() -> None:
    labels = draw().permutation(np.arange(23) < 9)
    fold = balanced_folds(labels, 3, draw(1))
    drawn = labellings(labels, fold, 50, draw(2))
    assert drawn.shape == (23, 51)
    assert (drawn[:, 0] == labels).all()
    for number in range(3):
        assert (drawn[fold == number].sum(axis=0) == labels[fold == number].sum()).all()
    assert len({tuple(column) for column in drawn.T.tolist()}) > 45  # each by itself


def test_all_labellings_of_the_folds_are_equally_likely() -> None:
    drawn = labellings(np.array([True, False, True, False, False]), np.array([0, 0, 1, 1, 1]), 6000, draw())
    seen, counts = np.unique(drawn[:, 1:], axis=1, return_counts=True)
    assert seen.shape[1] == 2 * 3
    np.testing.assert_allclose(counts / 6000, 1 / 6, atol=0.02)


class Episodes:
    """``count`` of either kind, ``steps`` each, of 6 features that are normal around a place of the episode's."""

    def __init__(self, seed: int, count: int = 8, steps: int = 10, apart: float = 0.0) -> None:
        random = draw(seed)
        self.labels = np.arange(2 * count) < count
        self.episode = np.repeat(np.arange(2 * count), steps)
        places = 2 * random.normal(size=(2 * count, 6)) + apart * self.labels[:, None]
        self.features = random.normal(size=(2 * count * steps, 6)) + places[self.episode]
        self.fold = balanced_folds(self.labels, 4, random)


def test_the_classifier_of_a_fold_is_the_ridge_regression_on_all_the_others() -> None:
    told = Episodes(0)
    labels = np.column_stack([told.labels, draw().permutation(told.labels)])
    weights = fitted_weights(told.features, told.episode, labels, told.fold, 0.3)
    assert weights.shape == (4, 6, 2)
    for number, found in enumerate(weights):
        seen = told.fold[told.episode] != number
        ones, zeros = np.ones((seen.sum(), 1)), np.zeros((6, 1))
        # rows of zeros with the root of the penalty: least squares that keep the weights small, but not the intercept
        penalty = np.sqrt(0.3 * seen.sum()) * np.eye(6)
        design = np.block([[told.features[seen], ones], [penalty, zeros]])
        target = np.concatenate([labels[told.episode[seen]].astype(float), np.zeros((6, 2))])
        np.testing.assert_allclose(found, np.linalg.lstsq(design, target)[0][:6], atol=1e-10)


def test_what_is_held_out_has_no_part_in_its_classifier() -> None:
    told = Episodes(1)
    labels, held = told.labels[:, None], told.fold == 2
    before = fitted_weights(told.features, told.episode, labels, told.fold, 0.01)
    other_rows = np.where(held[told.episode][:, None], 50 + 9 * told.features**2, told.features)
    other_labels = np.where(held[:, None], True, labels)
    for after in (
        fitted_weights(other_rows, told.episode, labels, told.fold, 0.01),
        fitted_weights(told.features, told.episode, other_labels, told.fold, 0.01),
    ):
        np.testing.assert_allclose(after[2], before[2], atol=1e-9)
        assert np.abs(after[1] - before[1]).max() > 1e-3


def test_each_step_is_scored_by_the_classifier_that_has_not_seen_its_fold() -> None:
    weights = np.array([[[1.0, 2.0]], [[10.0, 20.0]]])  # (K, F, B)
    scores = held_out_scores(np.array([[1.0], [3.0], [5.0]]), np.array([1, 0, 1]), weights)
    assert scores.tolist() == [[10, 20], [3, 6], [50, 100]]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=25))
def test_the_area_is_the_share_of_pairs_in_order_with_ties_half(pairs: list[tuple[int, bool]]) -> None:
    positive = [score for score, label in pairs if label]
    negative = [score for score, label in pairs if not label]
    if not positive or not negative:
        return
    scores, labels = (np.array(column)[:, None] for column in zip(*pairs, strict=True))
    wins = [(high > low) + (high == low) / 2 for high in positive for low in negative]
    assert area_under_curve(scores, labels) == pytest.approx([sum(wins) / len(wins)])
    assert area_under_curve(scores, ~labels) == pytest.approx([1 - sum(wins) / len(wins)])


def test_scores_of_different_folds_are_not_compared() -> None:
    scores = np.array([[1.0], [0.0], [101.0], [100.0], [102.0]])
    labels, fold = np.array([[True], [False], [False], [True], [False]]), np.array([0, 0, 1, 1, 1])
    assert grouped_area(scores, np.arange(5), labels, fold) == pytest.approx([(1.0 + 0.0) / 2])


def test_steps_that_tell_their_episode_tell_nothing_when_folds_hold_whole_episodes() -> None:
    """The leak: alike sides, but each episode in a place of its own. Folds of steps let it be recognised."""
    by_episode, by_step = [], []
    for seed in range(40):
        told = Episodes(seed, count=4)
        steps = np.arange(len(told.episode))
        of_steps = told.labels[told.episode]
        for found, unit, labels, fold in (
            (by_episode, told.episode, told.labels, told.fold),
            (by_step, steps, of_steps, balanced_folds(of_steps, 4, draw(seed))),
        ):
            weights = fitted_weights(told.features, unit, labels[:, None], fold, 0.01)
            scores = held_out_scores(told.features, fold[unit], weights)
            found.append(float(grouped_area(scores, unit, labels[:, None], fold)[0]))
    assert np.mean(by_episode) == pytest.approx(0.5, abs=0.08)
    assert np.mean(by_step) > 0.85


def test_sides_that_differ_are_told_apart() -> None:
    told = Episodes(3, count=12, apart=4.0)
    labels = labellings(told.labels, told.fold, 99, draw())
    weights = fitted_weights(told.features, told.episode, labels, told.fold, 0.01)
    scores = held_out_scores(told.features, told.fold[told.episode], weights)
    areas = grouped_area(scores, told.episode, labels, told.fold)
    assert areas[0] > 0.95
    assert permutation_p(areas) == 0.01


def test_p_is_the_share_of_labellings_that_do_as_well() -> None:
    assert permutation_p(np.array([3.0, 1.0, 2.0, 3.0, 5.0])) == 3 / 5
    assert permutation_p(np.array([9.0, 1.0, 2.0])) == 1 / 3
    assert permutation_p(np.array([-3.0, -4.0, -2.0])) == 2 / 3
    assert permutation_p(np.array([0.1 + 0.2, 0.3, 0.3])) == 1.0  # equal but for rounding
    assert permutation_p(np.array([0.3, 0.1 + 0.2])) == 1.0


def test_p_of_drawn_labellings_is_near_that_of_all_of_them() -> None:
    values = draw(4).normal(size=8) + 0.5 * (np.arange(8) < 3)
    exact = [values[list(chosen)].mean() for chosen in combinations(range(8), 3)]
    share = np.mean([mean >= values[:3].mean() - 1e-12 for mean in exact])
    drawn = labellings(np.arange(8) < 3, np.zeros(8, np.int64), 20_000, draw(5))
    assert 0.05 < share < 0.9
    assert permutation_p(values @ drawn / 3) == pytest.approx(share, abs=0.015)


def test_p_is_uniform_where_the_sides_are_alike() -> None:
    labels, fold = np.arange(16) < 8, np.arange(16) % 2
    found = []
    for seed in range(1500):
        random = draw(seed)
        found.append(permutation_p(random.normal(size=16) @ labellings(labels, fold, 19, random)))
    shares = np.bincount(np.round(np.array(found) * 20).astype(int), minlength=21)[1:] / 1500
    np.testing.assert_allclose(shares, 1 / 20, atol=4 * np.sqrt(0.05 * 0.95 / 1500))


def scored(
    seed: int, positive: int, negative: int, shift: float, apart: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Normal scores of 10 to 40 steps an episode, around a place of each episode's own; folds of five or fewer."""
    random = draw(seed)
    labels = np.arange(positive + negative) < positive
    episodes = np.repeat(np.arange(len(labels)), random.integers(10, 40, len(labels)))
    scores = random.normal(size=len(episodes)) + apart * random.normal(size=len(labels))[episodes]
    fold = balanced_folds(labels, min(5, min(positive, negative) // 2), random)
    return scores + shift * labels[episodes], episodes, labels, fold


def test_the_interval_of_an_area_by_hand() -> None:
    """Positives 3 and 1, negatives 2 and 0: V = 1, 1/2 and 1/2, 1; A = 3/4; each side gives 2 (1/8)^2 + 2 (1/8)^2.

    So var = 1/8, known by 0.125^2 / (2 * 0.0625^2) = 2 degrees of freedom, t = 4.303; 0.1875 / 0.125 = 1.5 trials.
    """
    scores, labels = np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, True, False, False])
    value, low, high = area_interval(scores, np.arange(4), labels, np.zeros(4, np.int64))
    assert value == 0.75
    assert (low, high) == pytest.approx((0.0423, 0.9951), abs=1e-4)
    wider = area_interval(scores, np.arange(4), labels, np.zeros(4, np.int64), untaught=0.3)
    assert wider.high - wider.low < high - low  # it is known by more: (0.125 + 0.0675)^2 / 0.0078 = 4.7 degrees


@pytest.mark.parametrize(
    ("positive", "negative", "shift", "apart"), [(10, 10, 0.0, 1.0), (50, 10, 1.0, 1.0), (20, 20, 2.5, 0.5)]
)
def test_the_interval_of_an_area_holds_the_true_one_95_times_of_100(
    positive: int, negative: int, shift: float, apart: float
) -> None:
    """P(a positive is above a negative) of other episodes is Phi(shift / sqrt(2 (1 + apart^2)))."""
    truth = norm.cdf(shift / np.sqrt(2 * (1 + apart**2)))
    found = [area_interval(*scored(seed, positive, negative, shift, apart)) for seed in range(300)]
    assert 0.915 < np.mean([low <= truth <= high for _, low, high in found]) < 0.985
    assert np.mean([value for value, _, _ in found]) == pytest.approx(truth, abs=0.02)
    of_steps = [  # as if steps were independent
        area_interval(scores, np.arange(len(scores)), labels[episodes], fold[episodes])
        for scores, episodes, labels, fold in (scored(seed, positive, negative, shift, apart) for seed in range(60))
    ]
    assert np.mean([low <= truth <= high for _, low, high in of_steps]) < 0.7


def test_the_interval_is_around_the_area_of_whole_folds_and_narrows_with_episodes() -> None:
    widths = []
    for count in (8, 32, 128):
        scores, episodes, labels, fold = scored(1, count, count, 1.0, 1.0)
        value, low, high = area_interval(scores, episodes, labels, fold)
        assert value == pytest.approx(grouped_area(scores[:, None], episodes, labels[:, None], fold)[0])
        assert 0 <= low < value < high <= 1
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.4)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.4)


def test_sides_that_never_overlap_have_an_interval_all_the_same() -> None:
    """As of ten trials that all succeed: low = 10 / (10 + t^2), with t = 2.228 of ten degrees of freedom."""
    labels = np.arange(20) < 10
    fold = np.tile(np.arange(5), 4)
    value, low, high = area_interval(labels + 0.01 * np.arange(20), np.arange(20), labels, fold)
    assert (value, high) == (1.0, pytest.approx(1.0))
    assert low == pytest.approx(10 / (10 + 2.228**2), abs=1e-3)


def test_of_one_episode_a_fold_nothing_is_known_of_the_spread() -> None:
    labels, fold = np.array([True, True, False, False]), np.array([0, 1, 0, 1])
    assert area_interval(np.array([3.0, 1.0, 2.0, 0.0]), np.arange(4), labels, fold) == (1.0, 0.0, 1.0)
