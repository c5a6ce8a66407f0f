"""Folders that `imitation` saves through the package ``datasets``; the tests lay them out as version 5 of it does."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations.endings import AmbiguousEnding
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.formats import imitation
from gailkit.demonstrations.opening import read
from gailkit.errors import DataError, InputError

pa = pytest.importorskip("pyarrow", reason="NOT TESTED against Arrow: pyarrow is not installed")

INFO = '{"py/object": "os.mkdir", "py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": ["sprung"]}]}'


def episodes(lengths: list[int], done: list[bool]) -> dict[str, list[Any]]:
    """Episode i observes [i, t] and does action t; its columns as `imitation` fills them."""
    return {
        "obs": [[np.array([i, t], np.float32) for t in range(steps + 1)] for i, steps in enumerate(lengths)],
        "acts": [list(range(steps)) for steps in lengths],
        "infos": [[INFO] * steps for steps in lengths],
        "terminal": done,
        "rews": [[float(i)] * steps for i, steps in enumerate(lengths)],
    }


def save(folder: Path, columns: dict[str, list[Any]], files: int = 1) -> Path:
    """The folder that ``datasets.Dataset.from_dict(columns).save_to_disk(folder, num_shards=files)`` makes."""
    folder.mkdir(exist_ok=True)
    features = {name: {"_type": "List"} for name in columns}  # what it says of the kinds is not needed
    meaning = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table(columns).replace_schema_metadata(meaning)
    names = [f"data-{index:05d}-of-{files:05d}.arrow" for index in range(files)]
    edges = np.linspace(0, table.num_rows, files + 1).round().astype(int)
    for name, (start, stop) in zip(names, pairwise(edges), strict=True):
        with pa.ipc.new_stream(str(folder / name), table.schema) as writer:
            writer.write_table(table.slice(start, stop - start))
    (folder / "dataset_info.json").write_text(json.dumps({"citation": "", "features": features}))
    write_state(folder, _data_files=[{"filename": name} for name in names])
    return folder


def write_state(folder: Path, **changes: Any) -> None:
    state = {
        "_fingerprint": "ecf17caa539cfeb7",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (folder / "state.json").write_text(json.dumps(state | changes))


@pytest.mark.parametrize("files", [1, 2, 3])
def test_episodes_of_all_files_in_order(tmp_path: Path, files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reading = read(save(tmp_path / "saved", episodes([3, 1, 4], [True, False, True]), files))
    assert reading.format == "imitation"
    assert [t.terminated for t in reading.trajectories] == [True, False, True]
    for index, trajectory in enumerate(reading.trajectories):
        steps = [3, 1, 4][index]
        assert trajectory.observations.tolist() == [[index, t] for t in range(steps + 1)]
        assert trajectory.observations.dtype == np.float32
        assert trajectory.actions.tolist() == list(range(steps))
        assert trajectory.episode_return == index * steps
    assert reading.about.provenance["left_out"] == "infos"
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("rows_without_a_step", [0, 1])
def test_an_episode_without_a_step_is_left_out(tmp_path: Path, rows_without_a_step: int) -> None:
    columns = episodes([3, 0, 4], [True, True, True])
    columns["obs"][1] = columns["obs"][1][:rows_without_a_step]
    reading = read(save(tmp_path / "saved", columns))
    assert [len(t) for t in reading.trajectories] == [3, 4]
    assert reading.about.provenance["gone"] == "1 of 3 episodes left out: 1 (no step)"


def test_done_after_as_many_steps_as_the_longest_is_asked_about(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", episodes([3, 4, 4], [True, True, True]), 2)
    with pytest.raises(AmbiguousEnding, match="2 of 2 after 4 steps"):
        read(folder)
    limited = read(folder, ReadOptions(max_episode_steps=4))
    assert [t.terminated for t in limited.trajectories] == [True, False, False]


def test_images_vectors_and_no_rewards(tmp_path: Path) -> None:
    columns = episodes([2, 3], [True, True])
    del columns["rews"]
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (steps + 1, 4, 3, 2)).astype(np.uint8) for steps in (2, 3)]
    forces = [rng.normal(size=(steps, 2)) for steps in (2, 3)]
    columns["obs"], columns["acts"] = [image.tolist() for image in images], [force.tolist() for force in forces]
    found = read(save(tmp_path / "saved", columns)).trajectories
    for trajectory, image, force in zip(found, images, forces, strict=True):
        assert np.array_equal(trajectory.observations, image) and np.array_equal(trajectory.actions, force)
        assert trajectory.rewards is None


def test_a_folder_of_splits_asks_for_one(tmp_path: Path) -> None:
    folder = save(tmp_path / "train", episodes([3], [True]))
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    with pytest.raises(InputError, match=f"folders of their own; name one of: {folder}"):
        read(tmp_path)


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"_data_files": [{"filename": "../outside.arrow"}]}, "must name data files in its own folder"),
        ({"_data_files": [{"filename": "/etc/passwd"}]}, "must name data files in its own folder"),
        ({"_data_files": [{"filename": ".."}]}, "has no file .."),
        ({"_data_files": [{"filename": 3}, {}]}, "must name data files in its own folder"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, "has no file gone.arrow"),
        ({"_data_files": "data"}, "must name data files"),
        ({}, "must name data files in its own folder, each once; found None"),
    ],
)
def test_a_state_that_leads_elsewhere_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    folder = save(tmp_path / "saved", episodes([3], [True]))
    write_state(folder, **changes)
    with pytest.raises(DataError, match=complaint):
        read(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", " " * (imitation.MAX_STATE + 1), "\udcff"])
def test_a_damaged_state_is_one_sentence(tmp_path: Path, text: str) -> None:
    folder = save(tmp_path / "saved", episodes([3], [True]))
    (folder / "state.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"state\.json (is damaged: |must be a JSON object)"):
        read(folder)


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", episodes([3], [True]))
    state = json.loads((folder / "state.json").read_text())
    write_state(folder, **state, _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(DataError, match="in another order"):
        read(folder)


@pytest.mark.parametrize(
    "name, values, complaint",
    [
        ("obs", [[[0.0, 1]] * 3, [[0.0, 1]] * 3], "episode 0 of 2: it must have one observation more than actions"),
        ("rews", [[1.0] * 2, [1.0] * 2], r"as many rewards; found \{'obs': 4, 'acts': 3, 'rews': 2\}"),
        ("acts", [1, 2], "has no data set 'acts/offsets'"),
        ("terminal", [[True], [True]], "'terminal' was not read, because it is not an array"),
        ("obs", [["a"] * 4, ["b"] * 3], "has no data set 'obs/offsets'"),
        ("acts", [[1, 2, None], [1, 2]], "some of its places are empty"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, name: str, values: list[Any], complaint: str) -> None:
    folder = save(tmp_path / "saved", episodes([3, 2], [True, True]) | {name: values})
    with pytest.raises(DataError, match=complaint):
        read(folder)


def test_no_episode_is_refused(tmp_path: Path) -> None:
    table = pa.table(episodes([3], [True])).slice(0, 0)
    folder = save(tmp_path / "saved", table.to_pydict())
    with pytest.raises(DataError):
        read(folder)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save(tmp_path / "saved", episodes([3], [True]))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'gailkit\[arrow\]'"):
        read(folder)
