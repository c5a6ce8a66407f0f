"""What the policy of a run is made again from: its settings and, where they are somebody's own, three of its parts.

The description of a run holds their names under ``acts_by``, null for a part that no name leads to. Other parts are
needed to learn, not to act.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from gymnasium import Space

from gailkit.errors import InputError
from gailkit.importing import import_attribute, leads_to, where_defined
from gailkit.networks.actor_critic import ActorCritic
from gailkit.training.build_policy import build_actor_critic, head_of, observation_encoder
from gailkit.training.config import RunConfig
from gailkit.training.own_runs import check_all_trusted
from gailkit.training.parts import Parts, made_generator
from gailkit.training.policy_config import PolicyConfig

NEEDED = ("policy_network", "image_encoder", "generator")
Spaces = tuple["Space[Any]", "Space[Any]"]
"""Of observations and of actions."""


def parts_to_act(config: RunConfig, parts: Parts, spaces: Spaces, acting: ActorCritic) -> dict[str, str | None]:
    """The parts without which ``acting`` cannot be made again, by their names in ``Parts``."""
    own = Parts(policy_network=parts.policy_network, image_encoder=parts.image_encoder)
    with torch.random.fork_rng(devices=[]):
        given = made_again(config.policy, spaces, own, head_of(config.generator), config.image_encoder)
    named = {
        "policy_network": config.policy.network,
        "image_encoder": config.image_encoder,
        "generator": config.generator,
    }
    sees = bool(acting.encoder.pictures)
    needed = {
        "policy_network": parts.policy_network is not None or ":" in config.policy.network,
        "image_encoder": sees and (parts.image_encoder is not None or ":" in config.image_encoder),
        "generator": _form(given) != _form(acting),
    }
    return {what: _name(getattr(parts, what), named[what]) for what in NEEDED if needed[what]}


def warn_of_nameless(acts_by: Mapping[str, str | None], parts: Parts, out: Path) -> None:
    """Say before a run begins which of its parts it cannot be loaded without and that no name leads to."""
    for what, name in acts_by.items():
        if name is None:
            found = where_defined(getattr(parts, what))
            warnings.warn(
                f"no name leads to the {what} {found} from another process: {_only_in_python(what, out)}; one that is "
                "defined at the top of a module is found by its name, also on the command line",
                stacklevel=2,
            )


def checked_names(acts_by: object) -> dict[str, str | None]:
    """What a description holds under ``acts_by``, which may be anybody's; TypeError if it is nothing of the kind."""
    if not isinstance(acts_by, Mapping) or not set(acts_by) <= set(NEEDED):
        raise TypeError(f"it acts by {acts_by!r}")
    if not all(name is None or (isinstance(name, str) and ":" in name) for name in acts_by.values()):
        raise TypeError(f"it acts by {acts_by!r}")
    return dict(acts_by)


def imported_parts(run: Path, acts_by: Mapping[str, str | None], parts: Parts, trust: Collection[str]) -> Parts:
    """What ``run`` acts by: those of ``parts`` that are given, the others imported by their names.

    Raises:
        UntrustedError: for a name that is neither in ``trust`` nor in a run of the user's own.
        InputError: for a part that no name leads to, or a name that leads nowhere.
    """
    found = {what: getattr(parts, what) for what in NEEDED}
    for what, name in acts_by.items():
        if found[what] is not None:
            continue
        if name is None:
            raise InputError(f"the {what} of {run} has no name to be imported by: {_only_in_python(what, run)}")
        check_all_trusted(run / "config.json", trust, [name])
        found[what] = import_attribute(name)
    return Parts(**found)


def made_again(policy: PolicyConfig, spaces: Spaces, parts: Parts, head: str, image_encoder: str) -> ActorCritic:
    """The networks of a policy, untrained."""
    encoder = observation_encoder(image_encoder, spaces[0], parts.image_encoder)
    given = build_actor_critic(policy, encoder, spaces[1], parts.policy_network, head)
    return given if parts.generator is None else made_generator(parts.generator, given).actor_critic


def _only_in_python(what: str, run: Path) -> str:
    return f"only gailkit.load_policy({str(run)!r}, parts=gailkit.Parts({what}=...)) loads the run"


def _name(part: object, configured: str) -> str | None:
    """That of a part or, where there is none, of what is configured in its place; None where none leads to it."""
    if part is None:
        return configured
    name = where_defined(part)
    return name if leads_to(name, part) else None


def _form(networks: ActorCritic) -> tuple[str, dict[str, torch.Size]]:
    return repr(networks), {name: tensor.shape for name, tensor in networks.state_dict().items()}
