"""``gailkit evaluate`` as a user meets it: what it says, what it writes, and what it refuses to do."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.cli.evaluate.printing import EXPLAINED
from gailkit.demonstrations import Demonstrations
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.config import TrainConfig
from gailkit.training.train import train

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
CONTRACT = {
    "env_id", "episodes", "return_mean", "return_ci95", "expert_return_mean", "random_return_mean", "normalised_score",
    "closeness", "verdict",
}  # fmt: skip


def redescribe(path: Path, demonstrations: Demonstrations, env_id: str | None) -> None:
    Demonstrations(demonstrations.trajectories, env_id=env_id).save(path)


def test_the_expert_agrees_with_itself_and_the_numbers_are_written(run_here: RunHere, tmp_path: Path) -> None:
    options = ("--demos", "demos.hdf5", "--episodes", "4", "--seed", "9", "--json", "new/result.json")
    done = run_here("evaluate", "teacher:balance", *options)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "new" / "result.json").read_text())
    assert (result["policy"], result["demonstrations"]) == ("teacher:balance", "demos.hdf5")
    assert (result["env_id"], result["episodes"], result["seed"]) == ("CartPole-v1", 4, 9)
    assert result["action_agreement"] == 1.0
    assert 0.5 < result["normalised_score"] < 2.0
    assert f"a score of {result['normalised_score']:.3f}, where 0 is random and 1 is the expert." in done.stdout
    assert "On 14 expert episodes it takes the expert's action in 100.0% of the states." in done.stdout
    (mean,) = [line for line in done.stdout.splitlines() if line.startswith("mean return")]
    for name in ("return_mean", "expert_return_mean", "random_return_mean"):
        assert re.search(rf"\b{result[name]:.{1 if result[name] < 100 else 0}f}\b", mean)


def test_the_numbers_have_the_names_of_the_contract(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "random", "--demos", "demos.hdf5", "--episodes", "10", "--json", "a.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "a.json").read_text())
    assert set(result) >= CONTRACT
    assert result["verdict"] == "different"
    assert result["closeness"] == pytest.approx(0.0, abs=0.3)
    assert result["normalised_score"] == 0.0
    low, high = result["return_ci95"]
    assert low <= result["return_mean"] <= high


def test_the_rule_comes_first_then_the_verdict_closeness_score_and_the_rest(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "random", "--demos", "demos.hdf5", "--episodes", "10", "--json", "a.json")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("rule: Indistinguishable at n episodes")
    assert "\\n" not in lines[0]
    result = json.loads((tmp_path / "a.json").read_text())
    verdict = lines.index("verdict: different")
    assert lines[verdict + 1] == result["verdict_sentence"]
    assert lines[verdict + 1].startswith("It is different from the expert: ")
    names = (
        "closeness  ",
        "score  ",
        "mean return  ",
        "distance  ",
        "classifier AUC  ",
        "The policy's mean return is ",
    )
    places = [next(index for index, line in enumerate(lines) if line.startswith(name)) for name in names]
    assert places == sorted(places) and places[0] > verdict
    given_away = lines.index("What gives it away:")
    assert lines[given_away + 1].startswith("- ")
    assert lines[-2].startswith("On 14 expert episodes")


def test_in_a_terminal_of_80_columns_no_line_is_longer_and_no_word_torn(
    run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where returns are as long as those of Pendulum-v1, whose three intervals are to stay on one line."""
    words = ("--policy", "random", "--episodes", "12", "--seed", "0", "-o", "pendulum.hdf5")
    run_here("record", "Pendulum-v1", *words)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    done = run_here("evaluate", "random", "teacher:still", "--demos", "pendulum.hdf5", "--episodes", "10")
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.count("]") for line in lines if line.startswith("mean return ")] == [3, 3]
    assert "…" not in done.stdout
    words = " ".join(line.strip() for line in lines)
    assert "no verdict with fewer than 10 episodes of the expert or of the policy." in words.lower()


def test_every_number_of_our_own_is_explained_once_and_the_glossary_has_its_term(
    run_here: RunHere, repository: Path
) -> None:
    done = run_here("evaluate", "random", "teacher:left", "--demos", "demos.hdf5", "--episodes", "10")
    glossary = (repository / "docs" / "glossary.md").read_text(encoding="utf-8")
    for name, words in EXPLAINED.items():
        assert done.stdout.count(f"  {name}: {words}") == (name != "succeeded")  # of which CartPole says nothing
        assert glossary.count(f"| **{name}**") == 1
        assert len(f"  {name}: {words}") <= 80


def test_the_same_command_gives_the_same_numbers(run_here: RunHere, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run_here(
            "evaluate",
            "run",
            "--demos",
            "demos.hdf5",
            "--episodes",
            "3",
            "--seed",
            seed,
            "--json",
            name,
            "--stochastic",
        )
    first, again, other = ((tmp_path / name).read_text() for name in "abc")
    assert first == again
    assert json.loads(first)["return_mean"] != json.loads(other)["return_mean"]


def test_a_run_is_compared_with_the_episodes_it_has_not_seen(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "run", "--demos", "demos.hdf5", "--episodes", "2", "--json", "result.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["action_episodes"], result["action_held_out"]) == (11, True)
    assert result["action_log_likelihood"] < 0


def test_a_run_acts_as_the_expert_did_and_every_output_says_how(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    dataclasses.replace(demonstrations, provenance={"acted": "sampled"}).save(tmp_path / "told.hdf5")
    words = ("--episodes", "2", "--json", "a.json", "--report", "a.html")
    for options, kind, said in (
        (("--demos", "told.hdf5"), "sampled", "It acted by sampled actions, as the expert did."),
        (
            ("--demos", "told.hdf5", "--deterministic"),
            "likeliest",
            "It acted by its likeliest actions, the expert by sampled actions.",
        ),
        (
            ("--demos", "demos.hdf5"),
            "likeliest",
            "which kind of actions the expert took is not recorded. By sampled ones",
        ),
    ):
        done = run_here("evaluate", "run", *options, *words)
        assert done.returncode == 0, done.stderr
        result = json.loads((tmp_path / "a.json").read_text())
        assert result["policy_actions"] == kind
        assert (result["other_actions"] is not None) == ("told.hdf5" not in options)
        page = re.sub(r"\s+", " ", (tmp_path / "a.html").read_text())
        assert said in done.stdout
        assert said in page.replace("&#x27;", "'")
        named = "its likeliest actions" if kind == "likeliest" else "sampled actions"
        assert re.search(rf"^run in CartPole-v1, .*, by {named}$", done.stdout, re.MULTILINE)
        assert f"episodes of run, by {named}, seed 0" in page


def test_the_table_says_which_of_the_experts_episodes_a_number_is_of(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "run", "--demos", "demos.hdf5", "--episodes", "2", "--json", "a.json")
    lines = [line.split() for line in done.stdout.splitlines()]
    (whole,) = [line for line in lines if line[:1] == ["episodes"]]
    (compared,) = [line for line in lines if line[:2] == ["compared", "with"]]
    assert (whole, compared) == (["episodes", "2", "14", "2"], ["compared", "with", "11", "of", "them"])
    assert lines.index(whole) < lines.index(compared) < [line[:1] for line in lines].index(["distance"])
    result = json.loads((tmp_path / "a.json").read_text())
    assert result["endings"]["expert_length"]["value"] == result["expert_length_mean"] == result["expert_return_mean"]
    low, high = result["two_sample"]["auc_ci95"]
    assert low < result["two_sample"]["auc"] < high
    (area,) = [line for line in lines if line[:2] == ["classifier", "AUC"]]
    assert area[2:5] == [f"{result['two_sample']['auc']:.2f}", f"[{low:.2f},", f"{high:.2f}]"]


def test_a_run_acts_by_its_likeliest_actions_unless_told_to_sample(run_here: RunHere, tmp_path: Path) -> None:
    """A sample is the expert's action with mean probability E p, which is exp(E ln p) at least."""
    run_here("evaluate", "run", "--demos", "demos.hdf5", "--episodes", "2", "--json", "mode.json")
    run_here("evaluate", "run", "--demos", "demos.hdf5", "--episodes", "2", "--json", "sample.json", "--stochastic")
    mode, sample = (json.loads((tmp_path / name).read_text()) for name in ("mode.json", "sample.json"))
    assert mode["action_agreement"] != sample["action_agreement"]
    assert sample["action_agreement"] > math.exp(sample["action_log_likelihood"]) - 0.01
    assert mode["action_log_likelihood"] == sample["action_log_likelihood"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rndom", "--demos", "demos.hdf5"], 2, r"'rndom' names no policy; accepted are random, a run .*random"),
        (["random", "--demos", "nothing.hdf5"], 2, r"nothing\.hdf5"),
        (["random", "--demos", "file"], 3, r"file"),
        (["random", "--demos", "demos.hdf5", "--env", "CartPol-v1"], 2, r"near matches: CartPole-v1"),
        (["random", "--demos", "demos.hdf5", "--env", "Pendulum-v1"], 2, r"\(4,\).*\(3,\)"),
        (["run", "--demos", "demos.hdf5", "--env", "Pendulum-v1"], 2, r"run in CartPole-v1 with observations .*\(3,\)"),
        (["run", "--demos", "demos.hdf5", "--checkpoint", "best"], 2, r"has no checkpoint 'best'; it has chosen, last"),
        (
            ["run", "--demos", "demos.hdf5", "--checkpoint", "first"],
            2,
            r"'first' is not one of 'chosen', 'last'",
        ),
        (["run", "--demos", "demos.hdf5", "--episodes", "0"], 2, r"0 is not in the range x>=1"),
        (["run/checkpoints", "--demos", "demos.hdf5"], 2, r"run/checkpoints holds no run"),
        (["empty", "--demos", "demos.hdf5"], 2, r"empty holds no run: it has no config\.json"),
        (["run", "--demos", "demos.hdf5", "--json", "file/a.json"], 5, r"nothing can be written into the folder file"),
        (["teacher:nonsense", "--demos", "demos.hdf5"], 2, r"teacher:nonsense returned 7.*must be in Discrete\(2\)"),
        (["teacher:balence", "--demos", "demos.hdf5"], 2, r"no attribute 'balence'; it has: balance"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_its_exit_code(run_here: RunHere, words: list[str], code: int, said: str) -> None:
    done = run_here("evaluate", "--episodes", "1", *words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_a_damaged_run_is_unreadable_data(run_here: RunHere, tmp_path: Path) -> None:
    path = tmp_path / "run" / "checkpoints" / "chosen.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    done = run_here("evaluate", "run", "--demos", "demos.hdf5")
    assert done.returncode == 3
    assert "chosen.safetensors is damaged" in done.stderr
    (tmp_path / "run" / "config.json").write_text("{")
    done = run_here("evaluate", "run", "--demos", "demos.hdf5")
    assert done.returncode == 3
    assert "config.json is damaged" in done.stderr


def test_an_environment_named_in_a_file_imports_no_module(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    (tmp_path / "bomb.py").write_text(
        "import gymnasium, os\n"
        "os.mkdir('crater')\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('Planted-v0', entry_point=CartPoleEnv, max_episode_steps=20)\n"
    )
    redescribe(tmp_path / "planted.hdf5", demonstrations, "bomb:Planted-v0")
    done = run_here("evaluate", "random", "--demos", "planted.hdf5", "--episodes", "1")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: a file names 'bomb:Planted-v0', which would import a module; if you trust it: "
        "gailkit evaluate random --demos planted.hdf5 --episodes 1 --env bomb:Planted-v0\n"
    )
    assert not (tmp_path / "crater").exists()
    trusted = run_here("evaluate", "random", "--demos", "planted.hdf5", "--episodes", "1", "--env", "bomb:Planted-v0")
    assert trusted.returncode == 0, trusted.stderr
    assert (tmp_path / "crater").exists()


def test_where_nobody_names_the_environment_it_is_asked_for(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    redescribe(tmp_path / "anonymous.hdf5", demonstrations, None)
    done = run_here("evaluate", "random", "--demos", "anonymous.hdf5", "--episodes", "1")
    assert done.returncode == 2
    assert "name it with --env" in done.stderr
    assert (
        run_here(
            "evaluate", "random", "--demos", "anonymous.hdf5", "--episodes", "1", "--env", "CartPole-v1"
        ).returncode
        == 0
    )
    assert (
        run_here("evaluate", "run", "--demos", "anonymous.hdf5", "--episodes", "1").returncode == 0
    )  # the run names it


def test_a_run_brings_the_arguments_of_its_environment(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    config = TrainConfig(steps=64, num_envs=2, rollout_size=64)
    kwargs = {"sutton_barto_reward": True}  # 0 a step and -1 at the end
    train("CartPole-v1", demonstrations, config, out=tmp_path / "harsh", env_kwargs=kwargs)
    for options, expected in (((), -1.0), (("--env-kwargs", '{"sutton_barto_reward": false}'), None)):
        run_here("evaluate", "harsh", "--demos", "demos.hdf5", "--episodes", "2", "--json", "result.json", *options)
        found = json.loads((tmp_path / "result.json").read_text())["random_return_mean"]
        assert found == expected if expected is not None else found > 5


def test_an_expert_whose_rewards_are_not_known_is_said_to_be_so(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    env = make_env("CartPole-v1")
    played = collect_episodes(random_policy(env.action_space, 0), lambda: make_env("CartPole-v1"), [0])
    blind = [type(each)(each.observations, each.actions, None, each.terminated) for each in played]
    Demonstrations(tuple(blind), env_id="CartPole-v1").save(tmp_path / "blind.hdf5")
    done = run_here("evaluate", "random", "--demos", "blind.hdf5", "--episodes", "1", "--json", "result.json")
    assert done.returncode == 0, done.stderr
    assert "not recorded" in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["expert_return_mean"], result["normalised_score"]) == (None, None)


def test_the_command_that_training_ends_with_works(run_here: RunHere, tmp_path: Path) -> None:
    options = ("--steps", "64", "--rollout-size", "64", "--num-envs", "2", "--seed", "1", "--out", "a run")
    done = run_here("train", "CartPole-v1", "--demos", "demos.hdf5", *options)
    assert done.returncode == 0, done.stderr
    program, *words = shlex.split(done.stdout.splitlines()[-1].partition("? ")[2])
    assert program == "gailkit"
    done = run_here(*words, "--episodes", "2")
    assert done.returncode == 0, done.stderr
    assert "a run in CartPole-v1" in done.stdout
