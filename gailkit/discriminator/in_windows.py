"""Windows of several steps as features: what a discriminator sees of the steps before is part of what it observes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from gailkit.errors import InputError
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions
from gailkit.windows import Before


def with_earlier(encode: Callable[[Transitions], Transitions], steps: Transitions, window: int) -> Transitions:
    """Steps as ``encode`` makes features of them, and those ``before`` them likewise, each step once.

    Raises:
        InputError: where it is not known what was before.
    """
    if steps.before is None or steps.before.window != window:
        found = "single steps" if steps.before is None else f"windows of {steps.before.window}"
        raise InputError(f"the discriminator judges windows of {window} steps; found {found}")
    before = steps.before
    nowhere = torch.zeros(len(before.obs), dtype=torch.bool, device=before.obs.device)
    earlier = encode(Transitions(before.obs, before.act, before.next_obs, nowhere))
    return replace(encode(steps), before=Before(earlier.obs, earlier.act, earlier.next_obs, before.rows))


def joined(steps: Transitions, encoder: ObservationEncoder, looks_ahead: bool) -> Transitions:
    """Features of steps and of those ``before`` them as features of windows, in which what was before is in obs.

    Of every step there is what was seen, the oldest first; then, of those before the last, what was done, with
    ``looks_ahead`` what followed apart from pictures, and 1. Of a step before the episode began all of these are 0.
    """
    if steps.before is None:
        return steps
    before, vector = steps.before, len(encoder.marks)
    there, rows = (before.rows >= 0).float().unsqueeze(-1), before.rows.clamp(min=0)
    seen = encoder.side_by_side(*(before.obs[rows] * there).unbind(1), steps.obs)
    following = before.next_obs[:, before.next_obs.shape[1] - vector :] if looks_ahead else before.next_obs[:, :0]
    beside = (before.act[rows] * there, following[rows] * there, there)
    obs = torch.cat([seen, *(part.flatten(1) for part in beside)], 1)
    return Transitions(obs, steps.act, steps.next_obs, steps.terminated)
