"""Whether actions are those that the environment takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box

from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.spaces import Flat, box_center_and_scale, misfit, stated_space
from gailkit.wording import counted

OTHER_UNITS = 3.0  # half-widths of the Box: a Gaussian that is clipped to it seldom has more at the median


WITHOUT = Unchecked("the file holds no actions")


def action_misfit(space: Space[Any], actions: np.ndarray) -> str | None:
    """What is wrong with the actions, apart from the bounds of a Box, which ``actions_in_bounds`` sees to."""
    if isinstance(space, Box) and space.dtype.kind == "f":
        space = Box(-np.inf, np.inf, space.shape, np.float64)
    return misfit(space, actions)


def action_kind(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether actions are of the kind and shape of the action space, and discrete ones within it."""
    if not subject.has_actions:
        return WITHOUT
    space = subject.about.action_space if around is None else around.action_space
    if space is not None and not isinstance(subject.about.action_space, Flat):
        space = stated_space(space)
    if space is None:
        return Unchecked("the file does not state an action space; --env ENV_ID would")
    found = {number: action_misfit(space, each.actions) for number, each in subject.numbered()}
    wrong = {number: problem for number, problem in found.items() if problem is not None}
    if not wrong:
        return []
    number, problem = next(iter(wrong.items()))
    said = (
        f"the actions of {counted(len(wrong), 'episode')} are none of the action space; in episode {number} {problem}"
    )
    return [Finding("action_kind", "error", said, tuple(wrong))]


def actions_in_bounds(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether continuous actions lie within the Box.

    Samples of a Gaussian do not, and need not: the environment clips them, and so does whatever judges or is judged.
    """
    if not subject.has_actions:
        return WITHOUT
    space = subject.about.action_space if around is None else around.action_space
    if space is None:
        return Unchecked("the file does not state an action space; --env ENV_ID would")
    if not isinstance(space, Box):
        return []
    steps, outside, worst, concerned, sizes = 0, 0, 0.0, [], []
    for number, each in subject.numbered():
        if each.actions.dtype.names is not None or each.actions.shape[1:] != space.shape:
            return Unchecked("the actions do not have the shape of the action space")
        beyond = np.maximum(each.actions - space.high, space.low - each.actions).reshape(len(each), -1).max(axis=1)
        wrong = beyond > 1e-6 * np.maximum(1.0, np.abs(each.actions).reshape(len(each), -1).max(axis=1))
        steps, outside = steps + len(each), outside + int(wrong.sum())
        worst = max(worst, float(beyond.max()))
        sizes.append(_half_widths(space, each.actions))
        concerned += [number] if wrong.any() else []
    if not outside:
        return []
    box = f"{_side(space.low)} to {_side(space.high)}"
    found = f"{outside:,} of {counted(steps, 'action')} lie outside the Box ({box}), by up to {worst:.3g}"
    usual = float(np.median(np.concatenate(sizes), axis=0).max())
    if usual > OTHER_UNITS:
        cause = f"half of them by more than {usual - 1:.3g} half-widths of it: they may be in other units, and clipped"
        return [Finding("actions_outside_box", "warning", f"{found}, {cause} they say nothing", tuple(concerned))]
    harmless = "clipped when they are executed or compared; data convert --clip-actions is for tools that refuse them"
    return [Finding("actions_outside_box", "note", f"{found}; {harmless}", tuple(concerned))]


def _half_widths(space: Box, actions: np.ndarray) -> np.ndarray:
    """How far actions (L, *act) lie from the middle of the Box, (L, size); 1 on its bounds, 0 where it has none."""
    center, scale = (values.numpy() for values in box_center_and_scale(space))
    bounded = np.isfinite(space.low).reshape(-1) & np.isfinite(space.high).reshape(-1)
    return np.asarray(bounded * np.abs(actions.reshape(len(actions), -1) - center) / scale)


def _side(bound: np.ndarray) -> str:
    """A bound of every dimension, or those of the first few."""
    values = [f"{value:g}" for value in dict.fromkeys(bound.reshape(-1).tolist())]
    return values[0] if len(values) == 1 else f"[{', '.join(values[:4])}{', ...' if len(values) > 4 else ''}]"
