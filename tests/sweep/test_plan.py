"""Which runs a file asks for, what they are called, and where they lie when it asks for more."""

from __future__ import annotations

from pathlib import Path

import pytest

from gailkit.cli.sweep.vocabulary import understand, vocabulary
from gailkit.errors import InputError
from gailkit.sweep.folder import SweepFolder
from gailkit.sweep.plan import combinations, file_name, labels_of, words_of
from gailkit.sweep.preparing import prepare, what_goes_on
from tests.sweep.conftest import TASK, Asking


def test_lists_are_gone_through_and_the_last_changes_fastest() -> None:
    found = list(combinations({"a": (1, 2), "b": ("x",), "c": (True, False)}))
    assert found == [{"a": a, "b": "x", "c": c} for a in (1, 2) for c in (True, False)]


def test_options_are_typed_as_on_a_command_line() -> None:
    assert words_of("policy-hidden", [64, 32]) == ["--policy-hidden", "64,32"]
    assert words_of("other-environment", True) == ["--other-environment"]
    assert words_of("other-environment", False) == []
    assert words_of("env-kwargs", {"a": 1}) == ["--env-kwargs", '{"a": 1}']


def test_labels_say_what_differs_among_those_that_are_called_alike() -> None:
    methods = [{"generator": "sac"}, {"generator": "ppo-clip", "clip": 0.1}, {"generator": "ppo-clip", "clip": 0.2}]
    assert labels_of(methods, "generator") == ["sac", "ppo-clip clip=0.1", "ppo-clip clip=0.2"]
    assert labels_of([{}], "generator") == ["default"]
    assert labels_of([{"gamma": 0.9}, {}], "generator") == ["gamma=0.9", "default"]


def test_every_task_meets_every_method_with_every_seed(asking: Asking) -> None:
    text = f"seeds = [4, 5]\nepisodes = 7\n{TASK}trajectories = [1, 4]\n[settings]\npolicy-epochs = [2, 3]\n"
    runs = asking(text).runs
    assert [(run.seed, run.task, run.method) for run in runs] == [
        (seed, f"CartPole-v1 trajectories={count}", f"policy-epochs={epochs}")
        for seed in (4, 5)
        for count in (1, 4)
        for epochs in (2, 3)
    ]
    assert runs[0].train == (
        *("CartPole-v1", "--demos", "demos.hdf5", "--policy-epochs", "2"),
        *("--steps", "1000", "--trajectories", "1", "--seed", "4"),
    )
    assert runs[0].stepping == ("--workers", "1")
    assert runs[0].evaluate == ("--demos", "demos.hdf5", "--episodes", "7")


def test_how_files_are_read_is_said_to_the_evaluation_too(asking: Asking) -> None:
    (run,) = asking(f"seeds = 1\n{TASK}max-episode-steps = 500\nworkers = 2\nnum-envs = 4\n").runs
    assert run.evaluate[-2:] == ("--max-episode-steps", "500")
    assert run.stepping == ("--workers", "2")
    assert "--num-envs" in run.train and "--num-envs" not in run.evaluate and "--workers" not in run.train


def test_methods_may_have_settings_that_others_do_not_have(asking: Asking) -> None:
    methods = "[[method]]\ngenerator = 'sac'\n[[method]]\npolicy-clip = 0.1\n"
    assert [run.method for run in asking(f"seeds = 1\n{TASK}[settings]\ngamma = [0.9, 0.8]\n{methods}").runs] == [
        *("sac gamma=0.9", "sac gamma=0.8", "gamma=0.9 policy-clip=0.1", "gamma=0.8 policy-clip=0.1")
    ]


def test_names_of_folders_need_no_quotes_and_are_not_too_long() -> None:
    assert file_name("my_module:Env-v0 a=1,2--sac/../x--3") == "my_module-Env-v0-a=1-2--sac-..-x--3"
    assert file_name("../..") == "run"
    assert len(file_name("a" * 300 + "--4")) == 120 and file_name("a" * 300 + "--4").endswith("--4")


def test_runs_keep_their_folders_when_a_file_asks_for_more(asking: Asking) -> None:
    few = asking(f"seeds = 2\n{TASK}")
    few.folder.claim()
    few.folder.close()
    few.folder.write(few.asked, few.runs, episodes=50)
    for run in few.runs:
        few.folder.run_folder(run).mkdir()
    more = asking(f"seeds = 3\n{TASK}[settings]\ndiscriminator-updates = [8, 32]\n")
    before = {run.name for run in few.runs}
    kept = [run for run in more.runs if run.name in before]
    assert len(more.runs) == 6 and len({run.name for run in more.runs}) == 6
    assert [(run.method, run.seed) for run in kept] == [("discriminator-updates=32", seed) for seed in (0, 1)]  # usual


def test_a_run_is_known_by_its_words_where_settings_have_come_to_be(asking: Asking) -> None:
    begun = asking(f"seeds = 2\n{TASK}")
    begun.folder.claim()
    begun.folder.close()
    begun.folder.write(begun.asked, begun.runs, episodes=50)
    for run in begun.runs:
        begun.folder.run_folder(run).mkdir()
    path = begun.folder.path / "sweep.json"
    path.write_text(path.read_text().replace('"gamma"', '"gamma_before"'))
    assert [run.name for run in asking(f"seeds = 2\n{TASK}").runs] == [run.name for run in begun.runs]


def test_from_another_folder_it_is_the_same_sweep(
    asking: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asking(f"seeds = 2\n{TASK}")
    begun.folder.claim()
    begun.folder.close()
    begun.folder.write(begun.asked, begun.runs, episodes=50)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    folder = SweepFolder(Path("..") / "swept")
    there = prepare(folder, what_goes_on(folder, None, None), vocabulary(), understand)
    assert [run.key for run in there.runs] == [run.key for run in begun.runs]
    assert there.runs[0].train[1:3] == ("--demos", str(tmp_path / "demos.hdf5"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"seeds = 1\n{TASK}", "seed 1) and is not asked for any more, or with other values"),
        (f"seeds = 2\n{TASK.replace('1000', '2000')}", "and is not asked for any more, or with other values"),
        (f"seeds = 2\nepisodes = 9\n{TASK}", "is evaluated in 50 episodes each, and sweep.toml says 9"),
    ],
)
def test_a_file_that_contradicts_what_was_begun_is_refused(text: str, said: str, asking: Asking) -> None:
    begun = asking(f"seeds = 2\n{TASK}")
    begun.folder.claim()
    begun.folder.close()
    begun.folder.write(begun.asked, begun.runs, episodes=50)
    for run in begun.runs:
        begun.folder.run_folder(run).mkdir()
    with pytest.raises(InputError) as found:
        asking(text)
    assert said in str(found.value)
