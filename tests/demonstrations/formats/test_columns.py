"""Plain columns: what they mean, as told or by their names; where episodes end, and how."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gailkit.demonstrations.endings import AmbiguousEnding, UnmarkedEnds
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.formats.column_names import ROLES, columns_from_text, named_columns
from gailkit.demonstrations.opening import Reading, read
from gailkit.errors import DataError, InputError
from gailkit.untrusted.protocol import send

# Seven steps: a termination after three, a time-out after two more, and a piece that is not finished.
STEPS = {
    "obs_0": [0.0, 1.5, 2, 10, 11, 20, 21],
    "obs_1": [0.0, -1, -2, -10, -11, -20, -21],
    "action": [0, 1, 2, 3, 4, 5, 6],
    "reward": [0.0, 1, 2, 3, 4, 5, 6],
    "terminated": [0, 0, 1, 0, 0, 0, 0],
    "truncated": [0, 0, 0, 0, 1, 0, 0],
}
NEXT = {"next_obs_0": [1.5, 2, 3, 11, 12, 21, 22.0], "next_obs_1": [-1, -2, -3, -11, -12, -21, -22.0]}


def load(folder: Path, columns: dict[str, list[float]], told: str = "", options: ReadOptions | None = None) -> Reading:
    """What is read of a text with these columns."""
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "steps.csv").write_text("\n".join(lines))
    settled = options or ReadOptions(columns=columns_from_text(told))
    return read(folder / "steps.csv", settled)


def without(*names: str) -> dict[str, list[float]]:
    return {name: values for name, values in STEPS.items() if name not in names}


def shown(reading: Reading) -> list[tuple[list[float], list[float], bool]]:
    """First part of the observations, actions and ending of each episode."""
    return [(t.observations[:, 0].tolist(), t.actions.ravel().tolist(), t.terminated) for t in reading.trajectories]


WHOLE = [([0, 1.5, 2, 3], [0, 1, 2], True), ([10, 11, 12], [3, 4], False), ([20, 21, 22], [5, 6], False)]


def test_where_only_states_were_seen_it_is_said_that_there_are_no_actions(tmp_path: Path) -> None:
    columns = {name: values for name, values in (STEPS | NEXT).items() if name != "action"}
    with pytest.raises(InputError, match=r"which of its columns are actions: .* or actions= with nothing behind it"):
        load(tmp_path, columns)
    for told in (columns, STEPS | NEXT):  # also where there would be some
        reading = load(tmp_path, told, "actions=")
        assert [(seen, ended) for seen, _, ended in shown(reading)] == [(seen, ended) for seen, _, ended in WHOLE]
        assert [t.actions.shape for t in reading.trajectories] == [(3, 0), (2, 0), (2, 0)]
        assert "actions=" in reading.about.provenance["columns"].split("; ")
    with pytest.raises(InputError, match="which of its columns are observations"):
        load(tmp_path, columns, "observations=")
    np.savez(tmp_path / "s.npz", observations=np.arange(8.0).reshape(4, 2), terminated=np.array([0, 1, 0, 1]))
    found = read(tmp_path / "s.npz", ReadOptions(columns=columns_from_text("actions="), ends="terminated"))
    assert [len(t) for t in found.trajectories] == [2, 2] and not found.trajectories[0].has_actions


def test_usual_names_need_not_be_told(tmp_path: Path) -> None:
    reading = load(tmp_path, STEPS | NEXT)
    assert (reading.format, shown(reading)) == ("plain columns", WHOLE)
    assert [t.episode_return for t in reading.trajectories] == [0 + 1 + 2, 3 + 4, 5 + 6]
    first = reading.trajectories[0]
    assert first.observations.tolist() == [[0, 0], [1.5, -1], [2, -2], [3, -3]]
    assert (first.actions.dtype, first.actions.shape) == (np.dtype(np.int64), (3,))
    assert "observations=obs_0,obs_1; actions=action" in reading.about.provenance["columns"]


def test_what_is_told_wins_and_the_rest_is_named(tmp_path: Path) -> None:
    reading = load(tmp_path, STEPS | NEXT | {"x": [7.0] * 7}, "observations=obs_1,x; next_observations=next_obs_1,x")
    assert reading.trajectories[2].observations.tolist() == [[-20, 7], [-21, 7], [-22, 7]]
    assert reading.about.provenance["left_out"] == "next_obs_0, obs_0"


def test_without_next_observations_the_last_is_unknown(tmp_path: Path) -> None:
    reading = load(tmp_path, STEPS)
    assert shown(reading) == [([0, 1.5, 2, 2], [0, 1, 2], True), ([10, 11], [3], False), ([20, 21], [5], False)]


def test_a_role_that_is_told_to_be_empty_is_not_read(tmp_path: Path) -> None:
    reading = load(tmp_path, STEPS | NEXT, "rewards=; truncated=")
    assert {t.rewards for t in reading.trajectories} == {None}
    assert shown(reading) == WHOLE  # without marks of time-outs, the jump from 12 to 20 cuts
    with pytest.raises(InputError, match="does not say which of its columns are observations"):
        load(tmp_path, STEPS, "observations=")


@pytest.mark.parametrize(
    "marks, endings",
    [
        ({"terminated": [0, 0, 1, 0, 1, 0, 0], "truncated": [0, 0, 1, 0, 0, 0, 0]}, [True, True, False]),
        ({"done": [0, 0, 1, 0, 1, 0, 0], "truncated": [0, 0, 0, 0, 1, 0, 0]}, [True, False, False]),
        ({"done": [0, 0, 1, 0, 1, 0, 0], "terminated": [0, 0, 1, 0, 0, 0, 0]}, [True, False, False]),
        ({"done": [0, 0, 1, 0, 1, 0, 0]}, [True, True, False]),  # lengths 3 and 2: no time limit
        ({"done": [0, 0, 1, 0, 0, 1, 0]}, None),  # two of three steps: may be one
        ({"truncated": [0, 0, 1, 0, 1, 0, 1]}, [False, False, False]),
        ({"truncated": [0, 0, 1, 0, 1, 0, 0]}, None),  # how the last one ended nobody knows
    ],
)
def test_what_marks_tell(tmp_path: Path, marks: dict[str, list[float]], endings: list[bool] | None) -> None:
    columns = without("terminated", "truncated") | marks
    if endings is None:
        with pytest.raises(AmbiguousEnding):
            load(tmp_path, columns)
    else:
        assert [t.terminated for t in load(tmp_path, columns).trajectories] == endings


def test_episodes_by_number(tmp_path: Path) -> None:
    numbers: dict[str, list[float]] = {"episode": [4, 4, 4, 2, 2, 9, 9], "seed": [5, 5, 5, -1, -1, 0, 0]}
    reading = load(tmp_path, STEPS | NEXT | numbers)
    assert shown(reading) == WHOLE
    assert [t.seed for t in reading.trajectories] == [5, None, 0]
    columns = without("terminated", "truncated") | NEXT | numbers
    with pytest.raises(AmbiguousEnding, match="1 of 3 after 3 steps"):
        load(tmp_path, columns)
    limited = load(tmp_path, columns, options=ReadOptions(max_episode_steps=3))
    assert [t.terminated for t in limited.trajectories] == [False, True, True]


@pytest.mark.parametrize(
    "columns, complaint",
    [
        ({"episode": [1, 1, 1, 2, 2, 1, 1]}, "the rows of episode 1 do not stand together"),
        ({"episode": [1, 1, 1, 1, 1, 2, 2]}, "row 3 of the data is marked as an end, and its episode goes on"),
        ({"episode": [1, 1, 1, 2, 2, 2.5, 3]}, "must hold a whole number in each row"),
        ({"truncated": [0, 0, 0, 0, 2, 0, 0]}, "the column truncated must hold 0 and 1"),
        ({"obs_1": [0, "x", 1, 1, 1, 1, 1]}, "'obs_1' was not read, because the column holds texts"),
        ({"obs_1": [0, "", 1, 1, 1, 1, 1]}, "episode 0 of 3.*not finite"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(
    tmp_path: Path, columns: dict[str, list[float]], complaint: str
) -> None:
    with pytest.raises((DataError, InputError), match=complaint):
        load(tmp_path, STEPS | columns)


def test_a_single_column_is_no_demonstration(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="of no known format"):
        load(tmp_path, {"obs_0": [1.0, 2.0]})
    with pytest.raises(DataError, match="one length, at least 1"):
        load(tmp_path, {"obs_0": [], "action": [], "done": []})


def test_rows_without_ends_are_one_episode_only_where_that_is_said(tmp_path: Path) -> None:
    columns = without("terminated", "truncated")
    with pytest.raises(InputError, match=r"nothing in .*steps\.csv tells where an episode ends.*--ends truncated"):
        load(tmp_path, columns)
    with pytest.raises(InputError, match="nothing in"):
        load(tmp_path, columns, options=ReadOptions(max_episode_steps=math.inf))
    limited = load(
        tmp_path, columns, options=ReadOptions(max_episode_steps=3)
    )  # of each three rows the last is unknown
    assert shown(limited) == [([0, 1.5, 2], [0, 1], False), ([10, 11, 20], [3, 4], False)]
    assert limited.about.provenance["gone"].startswith("1 of 3 episodes left out: 2 (one step")
    followed = load(tmp_path, columns | NEXT, options=ReadOptions(ends="truncated"))  # the jumps show the ends
    assert [len(t) for t in followed.trajectories] == [3, 2, 2]
    (one,) = load(tmp_path, columns, options=ReadOptions(ends="truncated")).trajectories
    assert (len(one), one.terminated) == (6, False)


@pytest.mark.parametrize(
    "marks",
    [{"terminated": [0, 0, 1, 0, 1, 0, 0]}, {"done": [0] * 7}, {"terminated": [0] * 7, "truncated": [0] * 7}],
)
def test_where_time_limits_leave_no_mark_it_is_asked_whether_there_was_one(
    tmp_path: Path, marks: dict[str, list[float]]
) -> None:
    columns = without("terminated", "truncated") | marks
    with pytest.raises(UnmarkedEnds, match=r"--max-episode-steps N.*--max-episode-steps none"):
        load(tmp_path, columns)
    whole = load(tmp_path, columns, options=ReadOptions(max_episode_steps=math.inf))
    ends = [index + 1 for index, mark in enumerate(next(iter(marks.values()))) if mark]
    assert [t.terminated for t in whole.trajectories] == [True] * len(ends) + [False]
    assert "unmarked" not in load(tmp_path, columns | NEXT, options=ReadOptions(ends="terminated")).about.provenance


def test_arrays_of_an_npz(tmp_path: Path) -> None:
    arrays = {"images": np.arange(7 * 12, dtype=np.uint8).reshape(7, 2, 2, 3), "u": np.arange(7.0), "obs": np.ones(7)}
    np.savez(tmp_path / "x.npz", done=np.array(STEPS["terminated"], bool), infos=np.array([{}] * 7), **arrays)
    told = columns_from_text("observations=images; actions=u")
    first, last = read(tmp_path / "x.npz", ReadOptions(columns=told)).trajectories
    assert np.array_equal(first.observations[:3], arrays["images"][:3])
    assert (last.actions.tolist(), first.actions.dtype) == ([[3], [4], [5]], np.float64)
    joined = columns_from_text("observations=obs,u; actions=u")
    assert read(tmp_path / "x.npz", ReadOptions(columns=joined)).trajectories[0].observations.shape == (4, 2)
    with pytest.raises(DataError, match=r"one length and no width; found \{'images': \(7, 2, 2, 3\), 'u': \(7,\)\}"):
        read(tmp_path / "x.npz", ReadOptions(columns=columns_from_text("observations=images,u; actions=u")))


def test_many_arrays_are_asked_about_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked is counted: each question is a way to the process that reads and back."""
    arrays = {f"more/{index}": np.arange(2.0) for index in range(200)}
    np.savez(tmp_path / "x.npz", obs=np.arange(3.0), action=np.arange(3), done=np.array([0, 0, 1]), **arrays)
    asked: list[object] = []

    def counted(stream: BinaryIO, message: dict[str, object]) -> None:
        asked.append(message)
        send(stream, message)

    monkeypatch.setattr("gailkit.untrusted.source.send", counted)
    reading = read(tmp_path / "x.npz", ReadOptions())
    assert [len(t) for t in reading.trajectories] == [3]
    assert len(asked) < 50


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_values_survive_exactly(tmp_path: Path, data: st.DataObject, lengths: list[int]) -> None:
    rows = sum(lengths)
    numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=rows, max_size=rows)
    columns = {name: data.draw(numbers) for name in ("obs_0", "obs_1", "next_obs_0", "next_obs_1", "act_0", "act_1")}
    columns["episode"] = np.repeat(np.arange(len(lengths)), lengths).tolist()
    found = load(tmp_path, columns, options=ReadOptions(ends="truncated")).trajectories
    assert list(map(len, found)) == lengths
    seen = np.concatenate([t.observations[:-1] for t in found])
    assert np.array_equal(seen, np.column_stack([columns["obs_0"], columns["obs_1"]]))
    ends = np.cumsum(lengths) - 1
    assert np.array_equal([t.observations[-1, 1] for t in found], np.array(columns["next_obs_1"])[ends])
    assert np.array_equal(np.concatenate([t.actions for t in found])[:, 0], columns["act_0"])


def test_what_is_told_as_text() -> None:
    assert columns_from_text(" observations = x, y ;actions=u; ; rewards=;") == {
        "observations": ("x", "y"),
        "actions": ("u",),
        "rewards": (),
    }


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("observation=x", r"no role of a column is called 'observation'; known are: .*did you mean 'observations'\?"),
        ("observations", "told as role=names; found 'observations'"),
        ("actions=a; actions=b", "the columns of actions are told twice"),
    ],
)
def test_what_is_told_wrongly(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        columns_from_text(text)


NAMES = ["t", *(f"q_{index}" for index in (0, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)), "v01", "v02", "u"]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("q_0..q_3", ["q_0", "q_1", "q_2", "q_3"]),
        ("q_8..q_10", ["q_8", "q_9", "q_10"]),
        ("q_*", [f"q_{index}" for index in range(11)]),
        ("v01..v02", ["v01", "v02"]),
        ("*", NAMES),
        ("t,q_1", ["t", "q_1"]),
    ],
)
def test_ranges_and_beginnings(pattern: str, expected: list[str]) -> None:
    told = columns_from_text(f"observations={pattern}; actions=u")
    assert list(named_columns(NAMES, told, "x.csv")["observations"]) == expected


@pytest.mark.parametrize(
    "told, complaint",
    [
        ("observations=q_00; actions=u", r"no column 'q_00'; it has: t, q_0, .*did you mean 'q_0'\?"),
        ("observations=q_8..q_12; actions=u", "no column 'q_11'"),
        ("observations=w*; actions=u", r"no column 'w\*'"),
        ("observations=q_3..q_1; actions=u", "names 0 columns"),
        ("observations=q_0..q_999999999; actions=u", "names 1000000000 columns, and the file has 15"),
        ("observations=q_0..v01; actions=u", "told as obs_0..obs_16"),
        ("observations=t; actions=u; rewards=q_0,q_1", "rewards is one column; found q_0, q_1"),
        ("observations=t", "does not say which of its columns are actions"),
    ],
)
def test_what_is_not_there(told: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        named_columns(NAMES, columns_from_text(told), "x.csv")


def test_what_was_told_is_no_longer_searched() -> None:
    told = {"observations": ("action",)}
    assert named_columns(["action", "act"], told, "x.csv") == {"observations": ("action",), "actions": ("act",)}


def test_two_that_may_be_meant_are_asked_about() -> None:
    with pytest.raises(InputError, match="several columns that may be observations: obs or obs_0, obs_1"):
        named_columns(["obs", "obs_0", "obs_1", "action"], {}, "x.csv")


@pytest.mark.parametrize(
    "names", [["obs0", "obs1"], ["obs[0]", "obs[1]"], ["observation_1", "observation_2"], ["obs.0", "obs.1"], ["obs"]]
)
def test_usual_ways_to_number(names: list[str]) -> None:
    assert named_columns([*names[::-1], "action"], {}, "x.csv") == {
        "observations": tuple(names),
        "actions": ("action",),
    }


@pytest.mark.parametrize("names", [["obs_0", "obs_2"], ["obs_2", "obs_3"], ["obs_0", "obs0", "obs_1"], ["obs_x"]])
def test_unusual_numbers_are_asked_about(names: list[str]) -> None:
    with pytest.raises(InputError, match="does not say which of its columns are observations"):
        named_columns([*names, "action"], {}, "x.csv")


def test_no_usual_name_means_two_roles() -> None:
    names = [name for usual in ROLES.values() for name in usual.whole]
    assert len(set(names)) == len(names)
