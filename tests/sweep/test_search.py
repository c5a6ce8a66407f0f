"""A search, with runs whose closeness is known in closed form in the place of training."""

from __future__ import annotations

import json
import math
import re
import tomllib

import pytest

from gailkit.errors import InputError
from gailkit.sweep.conclusions import conclude_sweep
from gailkit.sweep.plan import Run
from gailkit.sweep.preparing import Prepared
from gailkit.sweep.search import Search, settings_of
from tests.sweep.conftest import TASK, Asking

SPACE = "[settings]\ndiscriminator-updates = { low = 1, high = 64 }\ndiscriminator-learning-rate = " + (
    "{ low = 1e-5, high = 1e-1, log = true }\ngenerator = ['ppo-clip', 'trpo', 'pg']\n"
)
TWO_SEEDS = f"seeds = 2\nepisodes = 9\n{TASK}"


@pytest.fixture(autouse=True)
def optuna() -> None:
    pytest.importorskip("optuna", reason="NOT TESTED what a search does: no optuna here; pip install 'gailkit[search]'")


def closeness_of(run: Run) -> float:
    """1 for trpo at a learning rate of 1e-3 with 20 updates, and less elsewhere."""
    config = run.understood.identity["config"]
    discriminator = config["discriminator"]
    away = (math.log10(discriminator["learning_rate"]) + 3) ** 2 / 4 + ((discriminator["updates"] - 20) / 60) ** 2
    return 1 - away - (config["generator"] != "trpo") * 0.5


def finish(prepared: Prepared, run: Run, closeness: float | None = None) -> None:
    folder = prepared.folder
    folder.run_folder(run).mkdir(parents=True, exist_ok=True)
    folder.evaluation_file(run).parent.mkdir(exist_ok=True)
    value = closeness_of(run) if closeness is None else closeness
    told = {"closeness": value, "closeness_ci95": [value, value], "returns": {"score": None}, "verdict": "different"}
    folder.evaluation_file(run).write_text(json.dumps(told))


def searched(prepared: Prepared) -> tuple[Search, list[Run]]:
    """A search that was carried to its end."""
    search, all_runs = Search(prepared), []
    while runs := search.more():
        all_runs += runs
        for run in [run for run in runs if not prepared.folder.is_finished(run)]:
            finish(prepared, run)
            search.ended(run)
    return search, all_runs


def test_it_comes_close_to_the_best_settings(asking: Asking) -> None:
    search, runs = searched(asking(TWO_SEEDS + SPACE, trials=40))
    assert len(search.settings) == 40 and len(runs) == 80
    found = [closeness_of(run) for run in runs]
    assert max(found) > 0.9
    assert sum(found[60:]) > sum(found[:20])  # the last ten trials beside the first ten


def test_what_is_sampled_keeps_to_the_file_and_can_be_read(asking: Asking) -> None:
    search, runs = searched(asking(TWO_SEEDS + SPACE, trials=12))
    for settings in search.settings:
        assert isinstance(settings["discriminator-updates"], int) and 1 <= settings["discriminator-updates"] <= 64
        rate = settings["discriminator-learning-rate"]
        assert 1e-5 <= rate <= 1e-1 and float(f"{rate:.3g}") == rate
        assert settings["generator"] in ("ppo-clip", "trpo", "pg")
    assert {run.method for run in runs} == {f"trial-{number}" for number in range(12)}


def test_it_goes_on_where_it_was_stopped_and_repeats_nothing(asking: Asking) -> None:
    begun = asking(TWO_SEEDS + SPACE, trials=5)
    before, runs = searched(begun)
    begun.folder.write(begun.asked, runs, episodes=9, tried=before.settings)
    after, all_runs = searched(asking(TWO_SEEDS + SPACE, trials=8))
    assert after.settings[:5] == before.settings and len(after.settings) == 8
    assert [run.name for run in all_runs[:10]] == [run.name for run in runs]


def test_it_ends_when_all_choices_were_tried(asking: Asking) -> None:
    search, runs = searched(asking(f"{TWO_SEEDS}[settings]\npolicy-epochs = [2, 3, 4]\n", trials=10))
    assert sorted(settings["policy-epochs"] for settings in search.settings) == [2, 3, 4] and len(runs) == 6


def test_a_trial_of_which_a_run_failed_counts_as_failed(asking: Asking) -> None:
    prepared = asking(TWO_SEEDS + SPACE, trials=2)
    search = Search(prepared)
    first, second = search.more()
    finish(prepared, first)
    search.ended(first)
    prepared.folder.failures[second.name] = "no more disk"
    search.ended(second)
    (trial,) = search._study.trials
    assert trial.state.name == "FAIL"


def test_the_closest_is_told_as_a_method_to_be_compared_anew(asking: Asking) -> None:
    prepared = asking(TWO_SEEDS + SPACE, trials=3)
    search, runs = searched(prepared)
    page = conclude_sweep(prepared.folder, runs, search).page
    (methods,) = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert tomllib.loads(methods)["method"] == [{}, settings_of(search, max(runs, key=closeness_of).method)]
    assert asking(TWO_SEEDS + methods).planned == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{TWO_SEEDS}[settings]\ngamma = 0.9\n", "--search has nothing to sample from"),
        (f"{TWO_SEEDS}{SPACE}[[method]]\ngamma = 0.9\n", "--search samples from [settings]"),
        (f"{TWO_SEEDS}[settings]\ngamma = {{ low = 0.5, high = 1.5 }}\n", "below 1; found 1.5"),
        (
            f"{TWO_SEEDS}[settings]\ngenerator = ['ppo-clip', 'sac']\npolicy-clip = {{ low = 0.1, high = 0.3 }}\n",
            "is a",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_at_once(text: str, said: str, asking: Asking) -> None:
    with pytest.raises(InputError) as found:
        asking(text, trials=3)
    assert said in str(found.value)
