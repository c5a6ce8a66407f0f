"""A run acts by networks of one's own: they are found by their names if the run is one's own, or passed in Python."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError, UntrustedError
from gailkit.generator import PPOClip
from gailkit.importing import import_attribute
from gailkit.networks.actor_critic import ActorCritic
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.run import load_policy
from gailkit.training.train import train

NETS = """
from torch import nn
from gailkit.generator import PPOClip
from gailkit.networks.actor_critic import ActorCritic

class Skip(nn.Module):
    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.wide, self.through = nn.Linear(inputs, hidden[0]), nn.Linear(inputs, outputs)
        self.narrow = nn.Linear(hidden[0], outputs)

    def forward(self, features):
        return self.through(features) + self.narrow(self.wide(features).relu())

def too_wide(inputs, outputs, hidden):
    return nn.Linear(inputs, outputs + 1)

class Wider(ActorCritic):
    pass

class OwnNetworks(PPOClip):
    def __init__(self, given):
        super().__init__(Wider(given.encoder, given.action_space, (5, 3)), epochs=1)
"""
OBS = np.random.default_rng(0).normal(size=(200, 4)) * [1.0, 1.0, 0.1, 1.0]


@pytest.fixture(autouse=True)
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module ``nets`` in the current folder, and a list of one's own runs that is empty at first."""
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    return tmp_path / "nets.py"


def with_network(tiny: TrainConfig, name: str) -> TrainConfig:
    return dataclasses.replace(tiny, policy=dataclasses.replace(tiny.policy, network=name))


def by_setting(tiny: TrainConfig) -> tuple[TrainConfig, Parts]:
    return with_network(tiny, "nets:Skip"), Parts()


def by_part(tiny: TrainConfig) -> tuple[TrainConfig, Parts]:
    return tiny, Parts(policy_network=import_attribute("nets:Skip"))


def by_generator(tiny: TrainConfig) -> tuple[TrainConfig, Parts]:
    return dataclasses.replace(tiny, generator="nets:OwnNetworks", policy=PolicyConfig(hidden=(8,))), Parts()


@pytest.mark.parametrize(
    ("asked", "acts_by", "made"),
    [
        (by_setting, {"policy_network": "nets:Skip"}, "Skip"),
        (by_part, {"policy_network": "nets:Skip"}, "Skip"),
        (by_generator, {"generator": "nets:OwnNetworks"}, "Wider"),
    ],
)
def test_networks_of_ones_own_train_are_saved_and_found_again_by_their_names(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, asked: Callable[..., Any], acts_by: object, made: str
) -> None:
    config, parts = asked(tiny)
    result = train("CartPole-v1", cartpole, config, parts=parts, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["acts_by"] == acts_by
    sys.modules.pop("nets")  # as in another process
    loaded = load_policy(tmp_path / "run")
    assert made in repr(loaded.actor_critic)
    np.testing.assert_array_equal(loaded(OBS), result.policy(OBS))
    np.testing.assert_array_equal(
        loaded.log_likelihood(OBS, OBS[:, 0] > 0), result.policy.log_likelihood(OBS, OBS[:, 0] > 0)
    )


def test_an_expert_has_networks_of_ones_own_too(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    skip = import_attribute("nets:Skip")
    trained = train_expert("CartPole-v1", tiny_expert, policy_network=skip, out=tmp_path / "run")
    np.testing.assert_array_equal(load_policy(tmp_path / "run")(OBS), trained.policy(OBS))


def test_a_deviation_that_depends_on_the_state_needs_no_last_layer_of_a_kind(
    tiny_expert: ExpertConfig, tmp_path: Path
) -> None:
    policy = dataclasses.replace(tiny_expert.policy, network="nets:Skip", std="state", initial_log_std=-1.0)
    config = dataclasses.replace(tiny_expert, policy=policy, steps=64)
    trained = train_expert("Pendulum-v1", config, out=tmp_path / "run").policy
    obs = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_array_equal(load_policy(tmp_path / "run")(obs), trained(obs))


def nameless(tiny: TrainConfig) -> Parts:
    return Parts(policy_network=lambda inputs, outputs, hidden: nn.Linear(inputs, outputs))


def nameless_generator(tiny: TrainConfig) -> Parts:
    class Local(PPOClip):
        def __init__(self, given: ActorCritic) -> None:
            super().__init__(ActorCritic(given.encoder, given.action_space, (3,)), epochs=1)

    return Parts(generator=Local)


@pytest.mark.parametrize(("parts_of", "what"), [(nameless, "policy_network"), (nameless_generator, "generator")])
def test_what_no_name_leads_to_is_said_before_the_first_step(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, parts_of: Callable[..., Parts], what: str
) -> None:
    parts, run = parts_of(tiny), tmp_path / "run"
    with pytest.raises(UserWarning, match=rf"no name leads to the {what} .*Parts\({what}=\.\.\.\)\) loads the run"):
        train("CartPole-v1", cartpole, tiny, parts=parts, out=run)  # warnings are errors here
    assert not run.exists()
    with pytest.warns(UserWarning, match="no name leads to"):
        result = train("CartPole-v1", cartpole, tiny, parts=parts, out=run)
    with pytest.raises(InputError, match=rf"the {what} of .*run has no name .*load_policy.*Parts\({what}="):
        load_policy(run)
    np.testing.assert_array_equal(load_policy(run, parts=parts)(OBS), result.policy(OBS))
    with pytest.raises(InputError, match=r"make other networks now than when it was trained"):
        load_policy(
            run, parts=Parts(**{what: import_attribute(f"nets:{'Skip' if what != 'generator' else 'OwnNetworks'}")})
        )


def test_parts_that_only_learning_takes_need_no_name(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    parts = Parts(reward=lambda logits: logits, generator=lambda given: PPOClip(given, epochs=1))
    train("CartPole-v1", cartpole, tiny, parts=parts, out=tmp_path / "run")  # a warning would be an error
    assert load_policy(tmp_path / "run").env_id == "CartPole-v1"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nets:too_wide", r"a policy network must map \(2, 4\) to \(2, 2\) here; found \(2, 3\)"),
        ("nets:OwnNetworks", r"the policy network failed when it was tried out: TypeError"),
        ("mpl", r"no policy network is called 'mpl'; did you mean 'mlp'\?"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_the_first_step(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        train("CartPole-v1", cartpole, with_network(tiny, name), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def own(cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, nets: Path) -> Path:
    """A run of one's own that acts by nets:Skip; the module leaves a crater from now on, where it is imported."""
    train("CartPole-v1", cartpole, with_network(tiny, "nets:Skip"), out=tmp_path / "run")
    sys.modules.pop("nets")
    nets.write_text(f"import os; os.mkdir({str(tmp_path / 'crater')!r})\n{NETS}")
    return tmp_path / "run"


def test_a_run_of_ones_own_may_be_moved(own: Path, tmp_path: Path) -> None:
    assert load_policy(shutil.move(own, tmp_path / "elsewhere")).env_id == "CartPole-v1"
    assert (tmp_path / "crater").exists()


def forged(own: Path) -> None:
    described = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(described | {"env_kwargs": {"a": 1}}))


def of_another_user(own: Path) -> None:
    shutil.rmtree(own.parent / "state")


def open_to_others(own: Path) -> None:
    (own.parent / "state" / "gailkit" / "own-runs").chmod(0o777)


@pytest.mark.parametrize("change", [forged, of_another_user, open_to_others])
def test_the_run_of_a_stranger_imports_nothing_until_its_name_is_trusted(
    own: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(own)
    with pytest.raises(UntrustedError, match=r"names 'nets:Skip', which would import a module; .* --trust nets:Skip$"):
        load_policy(own, trust=["nets:too_wide"])
    assert not (tmp_path / "crater").exists()
    assert load_policy(own, trust=["nets:Skip"]).env_id == "CartPole-v1"
    assert (tmp_path / "crater").exists()


def test_a_module_of_the_same_name_in_another_place_is_another_one(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / "download"
    planted.mkdir()
    shutil.copy(tmp_path / "nets.py", planted)
    monkeypatch.syspath_prepend(str(planted))
    with pytest.raises(UntrustedError, match=rf"found in {tmp_path}/nets.py when .*; here it would import {planted}/"):
        load_policy(own)
    (planted / "nets.py").unlink()
    (tmp_path / "nets.py").rename(tmp_path / "other.py")
    with pytest.raises(InputError, match=rf"found in {tmp_path}/nets.py when it was made and not from here; go to "):
        load_policy(own)
    assert not (tmp_path / "crater").exists()


@pytest.mark.skipif(os.name != "posix", reason="NOT TESTED: only POSIX systems have modes")
def test_the_list_of_ones_own_runs_is_for_oneself_and_holds_no_run_without_modules(
    own: Path, cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "gailkit" / "own-runs"
    assert folder.stat().st_mode & 0o777 == 0o700
    (remembered,) = folder.iterdir()
    assert json.loads(remembered.read_text()) == {"nets": str(tmp_path / "nets.py")}
    train("CartPole-v1", cartpole, tiny, out=tmp_path / "plain")
    assert list(folder.iterdir()) == [remembered]


def test_where_the_list_cannot_be_kept_a_run_is_made_all_the_same(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("in the way")
    train("CartPole-v1", cartpole, with_network(tiny, "nets:Skip"), out=tmp_path / "run")
    with pytest.raises(UntrustedError, match="--trust nets:Skip"):
        load_policy(tmp_path / "run")


@pytest.mark.parametrize("acts_by", [3, ["nets:Skip"], {"reward": "nets:Skip"}, {"generator": 3}, {"generator": "x"}])
def test_nonsense_in_its_place_is_damage(own: Path, acts_by: object) -> None:
    described = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(described | {"acts_by": acts_by}))
    with pytest.raises(DataError, match="is damaged"):
        load_policy(own)


def test_values_stay_as_they_are_while_their_units_move_whatever_the_network() -> None:
    from gailkit.networks.actor_critic import Critic

    critic = Critic(4, (8,), network=import_attribute("nets:Skip"))
    features = torch.randn(20, 4)
    before = critic(features)
    critic.normalize_targets(5.0 + 3.0 * torch.randn(100))
    torch.testing.assert_close(critic(features), before, rtol=1e-4, atol=1e-4)
