"""A policy goes to the Hub and comes back; whatever else is found there stays there, and nothing of it is executed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, GailkitError, HubError, InputError, UntrustedError
from gailkit.evaluation.evaluate import evaluate
from gailkit.hub import parcel as parcels
from gailkit.hub.parcel import without_places
from gailkit.hub.pulling import pull
from gailkit.hub.pushing import push
from gailkit.training.run import RunFolder, load_policy
from tests.hub.stand_in import TOKEN, Hub, sha_of

OBSERVATIONS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


def test_what_is_pulled_acts_as_what_was_pushed(hub: Hub, run: Path, tmp_path: Path) -> None:
    assert push(run, "ada/cart") == f"{hub.url}/ada/cart"
    pulled = pull("ada/cart", tmp_path / "cart")
    assert pulled.commit == sha_of("main")
    mine, theirs = load_policy(run), load_policy(tmp_path / "cart")
    np.testing.assert_array_equal(mine(OBSERVATIONS), theirs(OBSERVATIONS))
    likelihoods = (each.log_likelihood(OBSERVATIONS, mine(OBSERVATIONS)) for each in (mine, theirs))
    np.testing.assert_array_equal(*likelihoods)
    assert theirs.trained_on == mine.trained_on
    assert str(theirs.training) == str(mine.training) and theirs.training is not None and theirs.training.finished
    assert pulled.files == ("config.json", "checkpoints/chosen.safetensors", "metrics.jsonl", "README.md")
    assert pulled.left == ("learning.svg",)
    assert (tmp_path / "cart" / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["cart"]


def test_nothing_of_the_machine_and_no_token_is_published(hub: Hub, run: Path) -> None:
    push(run, "ada/cart")
    published = b"".join(hub.repos["ada/cart"]["main"].values())
    for secret in ("/home/ada", str(run.parent), TOKEN, "optimizer", "discriminator.network"):
        assert secret.encode() not in published
    described = json.loads(hub.repos["ada/cart"]["main"]["config.json"])
    assert described["command"] == "gailkit train CartPole-v1 --demos demos.hdf5 --out run"
    assert described["demonstrations"]["source"] == {"demos": "demos.hdf5"}
    assert "track" not in described


def test_a_place_is_the_name_of_its_file_alone() -> None:
    said = {"/a/b.txt": ["x --out=/home/ada/run", "~/demos.hdf5", "ALE/Pong-v5", 3, None], "b": "'/home/ada/my.toml'"}
    assert without_places(said) == {"/a/b.txt": ["x --out=run", "demos.hdf5", "ALE/Pong-v5", 3, None], "b": "'my.toml'"}


def test_the_card_says_what_the_policy_is_and_how_close_it_comes(
    hub: Hub, run: Path, shown: Demonstrations, tmp_path: Path
) -> None:
    found = evaluate(load_policy(run), shown, "CartPole-v1", episodes=12)
    numbers = tmp_path / "numbers.json"
    numbers.write_text(json.dumps({"policy": "run", "demonstrations": "demos.hdf5", **found.to_dict()}))
    film = tmp_path / "cart.gif"
    Image.new("RGB", (4, 4)).save(film)
    push(run, "ada/cart", evaluation=numbers, film=film)
    files = hub.repos["ada/cart"]["main"]
    card = files["README.md"].decode()
    assert files["film.gif"] == film.read_bytes()
    for said in (
        f"| verdict | {found.closeness.verdict.verdict} |",
        "![The policy at work](film.gif)",
        f'mean_reward", "value": "{found.return_mean:.3g} +/- {found.return_std:.3g}"',
        "| episodes | 4 |",
        "gailkit pull ada/cart",
        "gailkit train CartPole-v1 --demos demos.hdf5",
        "in `CartPole-v1`, made with gailkit",
        "actions: `Discrete(2)`.",
    ):
        assert said in card, said
    head = card.split("---\n")[1]
    assert dict(line.split(": ", 1) for line in head.splitlines())["library_name"] == '"gailkit"'
    assert json.loads(dict(line.split(": ", 1) for line in head.splitlines())["tags"])[:2] == [
        "reinforcement-learning",
        "gailkit",
    ]


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        ("{", DataError, "is not what gailkit evaluate --json writes: "),
        ('{"closeness": 1}', DataError, "writes: it has no verdict$"),
        ('{"policies": []}', InputError, "compares several policies"),
        (
            '{"closeness": 1, "verdict": "", "return_mean": 1, "return_std": 0, "episodes": 1, "env_id": "Ant-v5"}',
            InputError,
            "is an evaluation in Ant-v5, the run is one in CartPole-v1$",
        ),
    ],
)
def test_an_evaluation_of_something_else_is_refused(
    hub: Hub, run: Path, tmp_path: Path, content: str, kind: type[GailkitError], sentence: str
) -> None:
    (tmp_path / "numbers.json").write_text(content)
    with pytest.raises(kind, match=sentence):
        push(run, "ada/cart", evaluation=tmp_path / "numbers.json")
    assert hub.repos == {}


def test_demonstrations_go_along_where_they_are_asked_for(
    hub: Hub, run: Path, shown: Demonstrations, tmp_path: Path
) -> None:
    shown.save(tmp_path / "demos.hdf5")
    push(run, "ada/cart", demonstrations=tmp_path / "demos.hdf5")
    pull("ada/cart", tmp_path / "without")
    pull("ada/cart", tmp_path / "with", demonstrations=True)
    assert not (tmp_path / "without" / "demonstrations.hdf5").exists()
    assert Demonstrations.load(tmp_path / "with" / "demonstrations.hdf5").digests() == shown.digests()
    (tmp_path / "demos.csv").write_text("a,b\n1,2\n")
    with pytest.raises(GailkitError, match=r"demos\.csv"):
        push(run, "ada/cart", demonstrations=tmp_path / "demos.csv")
    push(run, "ada/none")
    with pytest.raises(InputError, match=r"^ada/none holds no demonstrations"):
        pull("ada/none", tmp_path / "none", demonstrations=True)


def test_a_checkpoint_a_branch_and_a_private_repository(hub: Hub, run: Path, tmp_path: Path) -> None:
    assert push(run, "ada/cart", checkpoint="last", private=True, revision="v2") == f"{hub.url}/ada/cart/tree/v2"
    assert hub.private["ada/cart"]
    assert hub.repos["ada/cart"]["main"] == {}
    pulled = pull("ada/cart", tmp_path / "cart", revision="v2")
    assert "checkpoints/last.safetensors" in pulled.files
    np.testing.assert_array_equal(load_policy(run, "last")(OBSERVATIONS), load_policy(tmp_path / "cart")(OBSERVATIONS))
    push(run, "ada/cart", checkpoint="last")  # a second time, onto what is there
    with pytest.raises(InputError, match=r"^ada/cart on .* has no revision 'v3'$"):
        pull("ada/cart", tmp_path / "v3", revision="v3")


def test_of_a_stranger_only_known_files_are_taken_and_no_name_is_imported(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    push(run, "eve/cart")
    files = hub.repos["eve/cart"]["main"]
    for name in ("../escaped.txt", "/tmp/escaped", "evil.py", "checkpoints/../../x", "config.json.bak", "metrics.pkl"):
        files[name] = b"import os"
    described = json.loads(files["config.json"])
    described["acts_by"] = {"policy_network": "evil:network"}
    files["config.json"] = json.dumps(described).encode()
    pulled = pull("eve/cart")
    taken = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert taken == {f"cart/{name}" for name in pulled.files}
    assert len(pulled.left) == 7
    with pytest.raises(UntrustedError, match="names 'evil:network', which would import a module"):
        load_policy(tmp_path / "cart")


def test_a_file_that_is_too_large_or_damaged_is_not_taken(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run, "eve/cart")
    files = hub.repos["eve/cart"]["main"]
    name = "checkpoints/chosen.safetensors"
    whole = files[name]
    files[name] = whole[:-1] + bytes([whole[-1] ^ 1])
    with pytest.raises(DataError, match=r"^eve/cart/checkpoints/chosen.safetensors is damaged"):
        pull("eve/cart", tmp_path / "cart")
    files[name] = whole
    hub.stated[name] = 2**40
    with pytest.raises(DataError, match=rf"^{name} of eve/cart has 1,099,511,627,776 bytes; at most 1,073,741,824 are"):
        pull("eve/cart", tmp_path / "cart")
    hub.stated[name] = 10  # which is not true
    monkeypatch.setattr("gailkit.hub.pulling.LIMITS", {**LIMITS, name: 100})
    with pytest.raises(DataError, match=rf"^{name} of eve/cart has more than 100 bytes, the most that is taken$"):
        pull("eve/cart", tmp_path / "cart")
    assert list(tmp_path.iterdir()) == []


LIMITS = dict(parcels.LIMITS)


def test_what_is_no_run_or_not_there_is_refused_in_a_sentence(hub: Hub, run: Path, tmp_path: Path) -> None:
    hub.repos["eve/notes"] = {"main": {"README.md": b"hello", "model.pkl": b""}}
    with pytest.raises(
        InputError, match=r"^eve/notes holds no run of gailkit: it has no config.json or no checkpoint$"
    ):
        pull("eve/notes", tmp_path / "notes")
    with pytest.raises(InputError, match=r"has no eve/nothing, or shows it only to others; `hf auth login` says who"):
        pull("eve/nothing", tmp_path / "nothing")
    for name in ("cart", "../cart", "eve/../cart", "eve/.hidden", "a/b/c", "eve/ca rt"):
        with pytest.raises(InputError, match=r"^a repository is called OWNER/NAME in letters"):
            pull(name)
        with pytest.raises(InputError, match=r"^a repository is called OWNER/NAME in letters"):
            push(run, name)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"there is there already; --out names another folder$"):
        pull("eve/notes", tmp_path / "there")


def test_who_may_not_write_is_told_so_and_no_token_is_shown(
    hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(HubError, match="does not let you do that to ada/cart") as refused:
        push(run, "ada/cart")
    assert "hf_another" not in str(refused.value)


@pytest.mark.parametrize("how", ["nobody listens", "offline mode"])
def test_without_a_network_it_is_one_sentence(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    constants: Any = pytest.importorskip("huggingface_hub", reason="NOT TESTED: push and pull").constants
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    if how == "offline mode":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    sentence = (
        "is not asked, for HF_HUB_OFFLINE is set$" if how == "offline mode" else "cannot be reached: ConnectError$"
    )
    for ask in (lambda: pull("ada/cart", tmp_path / "cart"), lambda: push(run, "ada/cart")):
        with pytest.raises(HubError, match=sentence):
            ask()


def test_a_run_whose_only_checkpoint_is_the_best_acts_by_that(tmp_path: Path, run: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    os.link(run / "config.json", tmp_path / "run" / "config.json")
    assert folder.usual_checkpoint() == "last"
    os.link(run / "checkpoints" / "last.safetensors", folder.checkpoint_path("best"))
    assert folder.usual_checkpoint() == "best"
    assert load_policy(tmp_path / "run")(OBSERVATIONS).shape == (50,)
