"""Policies of Stable-Baselines3: A2C, PPO, TRPO, SAC, TQC, TD3, DDPG, DQN, QR-DQN and ARS, without that library.

Which algorithm made a zip is read off the names of its weights, not off the name of a class in it. The networks run
in float64, so that an action does not depend on how many environments are asked about in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import linear

from gailkit.errors import DataError, InputError
from gailkit.experts.sb3_archive import Archive, check_fits, read_archive
from gailkit.experts.vecnormalize import read_vecnormalize
from gailkit.spaces import encoded_size
from gailkit.types import Policy

Map = Callable[[np.ndarray], np.ndarray]
"""Rows (N, inputs) to rows (N, outputs), float64."""

Layer = tuple[np.ndarray, np.ndarray]
"""Weight (outputs, inputs) and bias (outputs,)."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": torch.relu,
    "Tanh": torch.tanh,
    "ELU": functional.elu,
    "LeakyReLU": functional.leaky_relu,
    "SiLU": functional.silu,
}


def sb3_policy(path: Path, observation_space: Space[Any], action_space: Space[Any]) -> Policy:
    """The deterministic policy in the Stable-Baselines3 zip at ``path``.

    Where ``ENV/vecnormalize.pkl`` stands beside ``ENV.zip``, observations are normalised with its statistics first.

    Raises:
        InputError: if the zip was not written by Stable-Baselines3, holds a network that is not supported, or is for
            spaces other than these.
        DataError: if the zip or its vecnormalize.pkl is unreadable or damaged.
    """
    archive = read_archive(path)
    check_fits(archive, observation_space, action_space)
    actions_of = _policy_map(archive, encoded_size(observation_space), action_space)
    companion = vecnormalize_beside(path)
    normalize = read_vecnormalize(companion) if companion else None
    if normalize is not None and normalize.mean.shape != observation_space.shape:
        raise InputError(
            f"{companion} is for observations of shape {normalize.mean.shape}; "
            f"the environment has {observation_space.shape}"
        )

    def act(observations: np.ndarray) -> np.ndarray:
        rows = observations if normalize is None else normalize(observations)
        return actions_of(_features(observation_space, rows))

    return act


def vecnormalize_beside(path: Path) -> Path | None:
    """``ENV/vecnormalize.pkl`` next to ``ENV.zip``, or None if there is none."""
    companion = path.with_suffix("") / "vecnormalize.pkl"
    return companion if companion.is_file() else None


def _features(space: Space[Any], observations: np.ndarray) -> np.ndarray:
    """Observations (N, *obs) to rows (N, inputs): flattened, or one-hot for a Discrete space."""
    if isinstance(space, Discrete):
        return np.asarray(np.eye(int(space.n))[observations - int(space.start)])
    return np.asarray(observations, dtype=np.float64).reshape(len(observations), -1)


def _policy_map(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """Features (N, inputs) to actions (N, *act), by the family whose mark is among the names of the weights."""
    for name in archive.weights:
        if "lstm" in name or "features_extractor." in name:
            raise InputError(f"{archive.path} is a policy with memory or images ({name}); only plain networks are read")
    for mark, family in FAMILIES.items():
        if any(name.startswith(mark) for name in archive.weights):
            return family(archive, inputs, space)
    some = ", ".join(list(archive.weights)[:4]) or "none"
    raise InputError(
        f"{archive.path} is of no algorithm that is read; these are A2C, PPO, TRPO, SAC, TQC, TD3, DDPG, DQN, QR-DQN "
        f"and ARS; its weights are called {some}"
    )


def _actor_critic(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """A2C, PPO, TRPO: the mean is clipped, unless the policy was made to squash its output."""
    hidden = _layers(archive, "mlp_extractor.shared_net.") + _layers(archive, "mlp_extractor.policy_net.")
    network = _network(archive, [*hidden, *_layers(archive, "action_net.")], "Tanh", inputs, encoded_size(space))
    return _head(space, network, squash=archive.policy_kwargs.get("squash_output") is True)


def _soft_actor_critic(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """SAC and TQC; with state-dependent noise the last layer is followed by a clip of the mean."""
    layers = [*_layers(archive, "actor.latent_pi."), *_layers(archive, "actor.mu.")]
    network = _network(archive, layers, "ReLU", inputs, encoded_size(space))
    bound = archive.policy_kwargs.get("clip_mean", 2.0)
    if "actor.mu.0.weight" not in archive.weights or not isinstance(bound, int | float) or bound <= 0:
        return _head(space, network, squash=True)
    return _head(space, lambda rows: np.clip(network(rows), -bound, bound), squash=True)


def _deterministic_actor(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """TD3 and DDPG."""
    network = _network(archive, _layers(archive, "actor.mu."), "ReLU", inputs, encoded_size(space))
    return _head(space, network, squash=True)


def _q_values(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """DQN."""
    return _head(space, _network(archive, _layers(archive, "q_net.q_net."), "ReLU", inputs, encoded_size(space)))


def _quantiles(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """QR-DQN: the value of an action is the mean over its quantiles; the output is ordered (quantiles, actions)."""
    layers = _layers(archive, "quantile_net.quantile_net.")
    outputs = len(layers[-1][1]) if layers else 0
    actions = encoded_size(space)
    if outputs % actions:
        raise DataError(f"{archive.path} is damaged: {outputs} quantiles cannot be shared out among {actions} actions")
    network = _network(archive, layers, "ReLU", inputs, outputs)
    return _head(space, lambda rows: network(rows).reshape(len(rows), -1, actions).mean(axis=1))


def _random_search(archive: Archive, inputs: int, space: Space[Any]) -> Map:
    """ARS: a linear policy is clipped, one with hidden layers squashed, unless it was made otherwise."""
    layers = _layers(archive, "action_net.")
    network = _network(archive, layers, "ReLU", inputs, encoded_size(space))
    return _head(space, network, squash=archive.policy_kwargs.get("squash_output", len(layers) > 1) is True)


FAMILIES: dict[str, Callable[[Archive, int, Space[Any]], Map]] = {  # first match wins
    "value_net.": _actor_critic,
    "actor.log_std": _soft_actor_critic,
    "actor.mu.": _deterministic_actor,
    "quantile_net.": _quantiles,
    "q_net.": _q_values,
    "action_net.": _random_search,
}


def _layers(archive: Archive, prefix: str) -> list[Layer]:
    """The linear layers ``prefix[INDEX.]weight`` and ``...bias`` in their order; a missing bias is 0.

    Raises:
        InputError: if there is anything but linear layers under ``prefix``.
    """
    names = [name.removeprefix(prefix) for name in archive.weights if name.startswith(prefix)]
    stems = {name.removesuffix("weight") for name in names if name.endswith("weight")}
    strange = [name for name in names if name.removesuffix("bias").removesuffix("weight") not in stems]
    strange += [stem for stem in stems if not (stem == "" or stem.removesuffix(".").isdecimal())]
    strange += [stem for stem in stems if archive.weights[f"{prefix}{stem}weight"].ndim != 2]
    if strange:
        raise InputError(f"{archive.path} holds layers that are not linear, which are not read: {prefix}{strange[0]}")
    layers = []
    for stem in sorted(stems, key=lambda stem: int(stem.removesuffix(".") or 0)):
        weight = archive.weights[f"{prefix}{stem}weight"]
        layers.append((weight, archive.weights.get(f"{prefix}{stem}bias", np.zeros(len(weight)))))
    return layers


def _network(archive: Archive, layers: list[Layer], activation: str, inputs: int, outputs: int) -> Map:
    """The layers with an activation between them, checked to lead from ``inputs`` to ``outputs`` features."""
    nonlinearity = _activation(archive, activation)
    sizes = [(weight.shape[1], weight.shape[0]) for weight, _ in layers]
    ends = [inputs, *(output for _, output in sizes)]
    fitting = all(size[0] == end for size, end in zip(sizes, ends, strict=False))
    if not layers or not fitting or ends[-1] != outputs or any(bias.shape != (len(w),) for w, bias in layers):
        raise DataError(f"{archive.path} is damaged: its layers {sizes} do not lead from {inputs} to {outputs} numbers")

    tensors = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in layers]

    @torch.no_grad()
    def run(rows: np.ndarray) -> np.ndarray:
        features = torch.from_numpy(rows)
        for weight, bias in tensors[:-1]:
            features = nonlinearity(linear(features, weight, bias))
        outputs: np.ndarray = linear(features, *tensors[-1]).numpy()
        return outputs

    return run


def _activation(archive: Archive, default: str) -> Callable[[Tensor], Tensor]:
    """The one named in the policy's settings, such as "<class 'torch.nn.modules.activation.ReLU'>", or the default."""
    stored = archive.policy_kwargs.get("activation_fn", default)
    name = str(stored.get(":type:", stored) if isinstance(stored, dict) else stored)
    name = name.strip("<>'").rpartition(".")[2]
    if name not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise InputError(f"{archive.path} uses the activation {name}; those that are read are {known}")
    return ACTIVATIONS[name]


def _head(space: Space[Any], network: Map, squash: bool = False) -> Map:
    """From the last layer to actions: the best one of a Discrete space, or a mean clipped or squashed into a Box."""
    if isinstance(space, Discrete):
        start = int(space.start)
        return lambda rows: network(rows).argmax(axis=1) + start
    assert isinstance(space, Box)
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    dtype = space.dtype

    def act(rows: np.ndarray) -> np.ndarray:
        mean = network(rows).reshape(len(rows), *low.shape)
        actions = low + (np.tanh(mean) + 1.0) / 2.0 * (high - low) if squash else mean
        return np.clip(actions, low, high).astype(dtype)

    return act
