"""The model card: what a policy is, what it learned from, how close it comes, and how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gailkit import __version__
from gailkit.errors import DataError, InputError
from gailkit.hub.parcel import DEMONSTRATIONS, FILM, Parcel
from gailkit.spaces import brief, space_from_json, stated_space
from gailkit.training.run import PICTURE_FILE

LARGEST_EVALUATION = 64 * 2**20  # bytes
TELLING = ("closeness", "verdict", "return_mean", "return_std", "episodes")


def read_evaluation(path: Path, env_id: str) -> dict[str, Any]:
    """What ``gailkit evaluate --json`` has written of one policy in ``env_id``.

    Raises:
        InputError: if there is no such file, or it is of several policies or another environment.
        DataError: if it is something else.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        if path.stat().st_size > LARGEST_EVALUATION:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path} is not what gailkit evaluate --json writes: {error}") from error
    if isinstance(found, dict) and "policies" in found:
        raise InputError(f"{path} compares several policies; a card tells of one: evaluate that alone")
    missing = [name for name in TELLING if not isinstance(found, dict) or name not in found]
    if missing:
        raise DataError(f"{path} is not what gailkit evaluate --json writes: it has no {missing[0]}")
    if found.get("env_id") != env_id:
        raise InputError(f"{path} is an evaluation in {found.get('env_id')}, the run is one in {env_id}")
    return dict(found)


def card(repo: str, parcel: Parcel, evaluation: Mapping[str, Any] | None) -> str:
    """The README.md of a repository, in Markdown, with what the Hub reads at its head."""
    described = parcel.described
    sections = [
        _head(repo, described, evaluation),
        f"# {described['env_id']}, by {_method(described)}",
        _introduction(described),
        _film(parcel),
        _closeness(evaluation),
        _data(parcel),
        _use(repo, described),
        _training(parcel),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _method(described: Mapping[str, Any]) -> str:
    generator = described["config"]["generator"]
    return generator if described["demonstrations"] is None else f"imitation (GAIL, {generator})"


def _head(repo: str, described: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> str:
    """YAML, in the form of JSON: nothing in a name can mean something there."""
    imitates = described["demonstrations"] is not None
    env_id = str(described["env_id"]).rpartition(":")[2]
    tags = ["reinforcement-learning", "gailkit", env_id, *(["imitation-learning", "gail"] if imitates else [])]
    head: dict[str, Any] = {"library_name": "gailkit", "pipeline_tag": "reinforcement-learning", "tags": tags}
    if evaluation is not None:
        metrics = [
            _metric("mean_reward", f"{_number(evaluation['return_mean'])} +/- {_number(evaluation['return_std'])}")
        ]
        if evaluation["closeness"] is not None:
            metrics.append(_metric("closeness", _number(evaluation["closeness"])))
        result = {
            "task": {"type": "reinforcement-learning", "name": "reinforcement-learning"},
            "dataset": {"name": env_id, "type": env_id},
            "metrics": metrics,
        }
        head["model-index"] = [{"name": repo.partition("/")[2], "results": [result]}]
    lines = (f"{name}: {json.dumps(value)}" for name, value in head.items())
    return "\n".join(["---", *lines, "---"])


def _metric(kind: str, value: str) -> dict[str, Any]:
    return {"type": kind, "name": kind, "value": value, "verified": False}


def _introduction(described: Mapping[str, Any]) -> str:
    env = f"`{described['env_id']}`"
    kwargs = f" with `{json.dumps(described['env_kwargs'])}`" if described["env_kwargs"] else ""
    how = "learned from the task's reward" if described["demonstrations"] is None else "imitates demonstrations"
    return (
        f"A policy that {how} in {env}{kwargs}, made with gailkit {described['versions']['gailkit']}. Observations: "
        f"`{_space(described['observation_space'])}`; actions: `{_space(described['action_space'])}`."
    )


def _space(stored: str) -> str:
    """As Gymnasium prints it."""
    return brief(stated_space(space_from_json(stored)))


def _film(parcel: Parcel) -> str:
    films = [name for name in parcel.paths if name.startswith(FILM)]
    if not films:
        return ""
    return f"[The policy at work]({films[0]})" if films[0].endswith(".mp4") else f"![The policy at work]({films[0]})"


def _closeness(evaluation: Mapping[str, Any] | None) -> str:
    """Verdict, closeness and score, as ``gailkit evaluate`` has found them."""
    if evaluation is None:
        return "## How close\n\nNot evaluated: `gailkit evaluate` says how closely it matches the expert."
    rows = [
        ("verdict", str(evaluation["verdict"])),
        ("closeness (1: as the expert itself, 0: as random actions)", _estimate(evaluation, "closeness")),
        ("normalised score", _number(evaluation.get("normalised_score"))),
        ("mean return", f"{_number(evaluation['return_mean'])} +/- {_number(evaluation['return_std'])}"),
        ("mean return of the expert", _number(evaluation.get("expert_return_mean"))),
        ("mean return of random actions", _number(evaluation.get("random_return_mean"))),
        ("episodes", str(evaluation["episodes"])),
        ("actions", str(evaluation.get("policy_actions") or "-")),
    ]
    reason = str(evaluation.get("verdict_sentence", ""))
    return f"## How close\n\n{_table(rows)}\n\n{reason}".rstrip()


def _data(parcel: Parcel) -> str:
    shown = parcel.described["demonstrations"]
    if shown is None:
        return ""
    rows = [
        ("episodes", f"{shown['episodes']:,}"),
        ("pairs of observation and action", f"{shown['transitions']:,}"),
        ("held out", f"{shown['held_out']['episodes']:,}"),
        *((str(name), str(value)) for name, value in sorted(shown["provenance"].items())),
    ]
    where = f"They are in [{DEMONSTRATIONS}]({DEMONSTRATIONS})." if DEMONSTRATIONS in parcel.paths else ""
    return f"## What it learned from\n\n{_table(rows)}\n\n{where}".rstrip()


def _use(repo: str, described: Mapping[str, Any]) -> str:
    name = repo.partition("/")[2]
    env = f" --env {described['env_id']}" if ":" in described["env_id"] else ""
    return (
        "## How to use it\n\n"
        f"```sh\npip install 'gailkit[hub]'\ngailkit pull {repo}\ngailkit play {name}{env}\n```\n\n"
        f"```python\nimport gailkit\n\npolicy = gailkit.load_policy({name!r})\n"
        "action, _ = policy.predict(observation)\n```"
    )


def _training(parcel: Parcel) -> str:
    described, command = parcel.described, parcel.described.get("command")
    made = f"```sh\n{command}\n```\n\n" if isinstance(command, str) else ""
    versions = _table([(str(name), str(value)) for name, value in described["versions"].items()])
    picture = f"\n\n![Learning curves]({PICTURE_FILE})" if PICTURE_FILE in parcel.paths else ""
    return (
        f"## How it was trained\n\n{made}Checkpoint `{parcel.checkpoint}`; every setting is in `config.json`.\n\n"
        f"{versions}{picture}\n\nThis card was written by gailkit {__version__}."
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = (f"| {_cell(name)} | {_cell(value)} |" for name, value in rows)
    return "\n".join(["| | |", "|---|---|", *cells])


def _cell(text: str) -> str:
    """On one line, without what ends a cell or begins markup of another kind."""
    line = " ".join(text.split())
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")


def _number(value: object) -> str:
    if not isinstance(value, int | float):
        return "-"
    return f"{value:.3g}" if abs(value) < 1e3 else f"{value:,.0f}"


def _estimate(evaluation: Mapping[str, Any], name: str) -> str:
    interval = evaluation.get(f"{name}_ci95")
    if not isinstance(interval, list) or len(interval) != 2:
        return _number(evaluation[name])
    return f"{_number(evaluation[name])} (95 %: {_number(interval[0])} to {_number(interval[1])})"
