"""The file of a sweep: what is understood, and the one sentence on what is not."""

from __future__ import annotations

import re

import pytest

from gailkit.cli.sweep.vocabulary import understand, vocabulary
from gailkit.errors import DataError, InputError, UntrustedError
from gailkit.sweep.config import Range, read_config
from gailkit.training.config import TrainConfig
from gailkit.training.settings import settings_of
from tests.sweep.conftest import TASK, Asking

USUAL = f"seeds = 3\n{TASK}"


def test_every_setting_of_a_run_may_be_named_but_for_its_seed() -> None:
    named = {"-".join(path).replace("_", "-") for path, _ in settings_of(TrainConfig())}
    assert named - {"seed"} <= set(vocabulary())
    assert {"trajectories", "hold-out", "subsample", "env-kwargs", "max-episode-steps", "workers"} <= set(vocabulary())
    assert not {"seed", "out", "demos", "resume", "config", "overwrite", "trust", "threads"} & set(vocabulary())


def test_numbers_of_seeds_and_lists_of_them_are_seeds() -> None:
    assert read_config(USUAL, "a.toml", vocabulary()).seeds == (0, 1, 2)
    assert read_config(f"seeds = [7, 5]\n{TASK}", "a.toml", vocabulary()).seeds == (7, 5)


def test_values_lists_sizes_and_ranges_are_told_apart() -> None:
    text = (
        USUAL
        + '[settings]\npolicy-hidden = [[64, 64], [128]]\ngenerator = "trpo"\ngamma = { low = 0.9, high = 0.99 }\n'
    )
    settings = read_config(text, "a.toml", vocabulary()).settings
    assert settings.lists == {"policy-hidden": ([64, 64], [128]), "generator": ("trpo",)}
    assert settings.ranges == {"gamma": Range(0.9, 0.99, False, False)}


WRONG = {  # text -> what the sentence must say
    "": "a sweep needs at least one [[task]]",
    "seeds = 3\n[task]\nenv = 'a'": "task is a list of tables, each of which begins with [[task]]",
    "seeds = 3\n[[task]]\ndemos = 'a'": "[[task]] 1 needs env = TEXT, the environment; found None",
    "seeds = 3\n[[task]]\nenv = '--help'\ndemos = 'a'": "needs env = TEXT",
    TASK: "seeds is missing: their number, such as 3, or a list of them",
    f"seeds = 0\n{TASK}": "seeds must be a whole number, at least 1; found 0",
    f"seeds = 1000000000\n{TASK}": "seeds is their number, at most 10,000, or a list of them",
    f"seeds = true\n{TASK}": "seeds must be a whole number",
    f"seeds = [1, 1]\n{TASK}": "a list of different whole numbers",
    f"seeds = [-1]\n{TASK}": "a seed must be a whole number, at least 0; found -1",
    f"seeds = 3\nepisode = 5\n{TASK}": "'episode' is not known at the top; did you mean 'episodes'?",
    f"seeds = 3\nsteps = 5\n{TASK}": "options of gailkit train stand in [settings] or [[task]]",
    f"{USUAL}seed = 3": "seed cannot stand in [[task]] 1: seeds = [0, 1, 2] at the top",
    f"{USUAL}out = 'a'": "out cannot stand in [[task]] 1",
    f"{USUAL}[settings]\nstep = 3": "'step' in [settings] is no option of gailkit train; did you mean 'steps'?",
    f"{USUAL}[settings]\npolicy_clip = 3": "did you mean 'policy-clip'?",
    f"{USUAL}[settings]\ngama = 3": "did you mean 'gamma'?",
    f"{USUAL}[settings.policy]\nclip = 3": "'policy' in [settings] is no option of gailkit train; its settings are",
    f"{USUAL}[settings]\ngamma = []": "gamma in [settings] is an empty list",
    f"{USUAL}[settings]\ngamma = [0.9, 0.9]": "names a value twice",
    f"{USUAL}[settings]\ngamma = true": "gamma in [settings] must be a text or a number, or a list of such; found True",
    f"{USUAL}[settings]\npolicy-epochs = 2.5": "policy-epochs in [settings] must be a whole number, or a list of such",
    f"{USUAL}[settings]\nother-environment = 1": "must be true or false",
    f"{USUAL}[settings]\npolicy-hidden = [64, 64]": "is a list of lists, [[64, 64]] for one network of two layers",
    f"{USUAL}[settings]\ngamma = {{ min = 1 }}": "gamma in [settings]: a range is { low = 1e-4, high = 1e-2,",
    f"{USUAL}[settings]\npolicy-epochs = {{ low = 1, high = 2.5 }}": "a range is { low = 4, high = 64 }",
    f"{USUAL}[settings]\ngamma = {{ low = 1, high = 0 }}": "low must be below high; found 1 and 0",
    f"{USUAL}[settings]\ngamma = {{ low = 0, high = 1, log = true }}": "above 0 where log is true",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=re.escape(WRONG[text])) as found:
        read_config(text, "a.toml", vocabulary())
    assert str(found.value).startswith("a.toml: ") and "\n" not in str(found.value)


def test_what_is_no_toml_is_told_with_its_line() -> None:
    with pytest.raises(DataError, match=r"a\.toml is not a TOML file: .*line 2"):
        read_config("seeds = 3\nsteps = = 4", "a.toml", vocabulary())


REFUSED = {  # what is known of, and cannot be
    f"{USUAL}[settings]\nsteps = 5": "steps stands in [[task]] 1 and among the settings",
    f"{USUAL}[settings]\ngamma = 0.9\n[[method]]\ngamma = 0.8": "gamma stands in [settings] and in [[method]] 1",
    f"{USUAL}[settings]\ngamma = 1.5": "--gamma must be at least 0 and below 1; found 1.5",
    f"{USUAL}[settings]\ngamma = 'high'": "'high' is not a valid float",
    f"{USUAL}[settings]\ngenerator = 'ppo'": "--generator must be one of ppo-clip, ppo-penalty, pg, trpo",
    f"{USUAL}[settings]\ngenerator = ['ppo-clip', 'sac']\npolicy-clip = 0.1": "stands in a [[method]] of its own",
    f"{USUAL}[settings]\ngenerator = 'ppo-clip'\n[[method]]\n[[method]]": "two runs are one and the same",
    f"{USUAL}trajectories = 0": "0 is not in the range x>=1",
    f"{USUAL}trajectories = 3\nhold-out = 0.2": "--trajectories holds out all other episodes",
    f"{USUAL}[settings]\ngamma = {{ low = 0.9, high = 0.99 }}": "gamma in [settings] is a range, which only --search",
    USUAL.replace("demos.hdf5", "nowhere.hdf5"): "demos in [[task]] 1: there is no nowhere.hdf5",
    USUAL.replace("CartPole-v1", "CartPol-v1"): "no environment is called 'CartPol-v1'; near matches: CartPole-v",
    f"seeds = 1\n{TASK}[settings]\n"
    + "".join(
        f"{name} = {list(range(1, 1000))}\n" for name in ("policy-epochs", "policy-batch-size", "rollout-size")
    ): ("these lists have 997,002,999 combinations; a sweep has at most 10,000 runs"),
    f"seeds = 9000\n{TASK}[settings]\ngamma = [0.9, 0.8]": "these are 18,000 runs; a sweep has at most 10,000",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_gailkit_train_would_refuse_is_refused_before_anything_runs(text: str, asking: Asking) -> None:
    with pytest.raises(InputError, match=re.escape(REFUSED[text])) as found:
        asking(text)
    assert str(found.value).startswith("sweep.toml: ") and "\n" not in str(found.value)


def test_a_name_that_would_import_a_module_needs_trust(asking: Asking) -> None:
    text = f"{USUAL}[settings]\nreward = 'mine:form'\n"
    with pytest.raises(UntrustedError, match="'mine:form', which would import a module; if you trust it, say --trust"):
        asking(text)
    assert asking(text, trust=("mine:form",)).runs[0].understood.imports == ("mine:form",)


def test_the_words_of_a_run_are_understood_as_gailkit_train_does() -> None:
    words = ("CartPole-v1", "--demos", "a.hdf5", "--generator", "sac", "--policy-hidden", "32,16", "--seed", "4")
    found = understand(words)
    assert found.identity["config"]["policy"]["hidden"] == (32, 16)
    assert found.identity["config"]["discriminator"]["updates"] == 8  # what sac has where nothing is said
    assert (found.steps, found.imports) == (500_000, ())
