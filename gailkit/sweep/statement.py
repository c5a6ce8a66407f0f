"""What won, and how sure that is, in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gailkit.functional.resampling import Estimate
from gailkit.sweep.outcomes import ENOUGH_SEEDS, Difference, Outcomes
from gailkit.wording import counted

MOST_BESIDE = 8  # methods, of which a sentence each is said
MOST_LISTED = 6


def statement(outcomes: Outcomes) -> list[str]:
    """A sentence on which method came closest, one on each other beside it, and what to bear in mind."""
    known = [each.method for each in outcomes.methods if each.mean is not None]
    if not known:
        return [_nothing_known(outcomes)]
    first, *others = known
    differences = [_decisive(outcomes, first, other) for other in others]
    beside = differences[:MOST_BESIDE]
    return [
        _headline(first, differences),
        *(_beside(outcomes, each) for each in beside),
        *([f"Of {len(differences) - len(beside)} further methods the table tells."] if beside != differences else []),
        *_without_closeness(outcomes),
        *_failed(outcomes),
        *_chance([shown for each in beside for shown in (each, *_each_task(outcomes, each)) if shown.estimate]),
    ]


def _decisive(outcomes: Outcomes, first: str, second: str) -> Difference:
    """Over all tasks, or on the one that there is."""
    return outcomes.difference(first, second, outcomes.tasks[0] if len(outcomes.tasks) == 1 else None)


def _headline(first: str, differences: Sequence[Difference]) -> str:
    if not differences:
        return f"There is only {first} to speak of, and nothing to compare it with."
    unsure = [each.second for each in differences if not each.told_apart]
    if not unsure:
        return f"{first} won: it comes closer to the expert than {_listed([each.second for each in differences])}."
    if all(each.estimate is None for each in differences):
        return f"Too few seeds to say which method won; {first} came closest."
    return f"No method won for sure: {first} came closest, and is not told apart from {_listed(unsure)}."


def _beside(outcomes: Outcomes, overall: Difference) -> str:
    first, second = overall.first, overall.second
    if overall.estimate is None:
        return (
            f"{first} and {second}: {counted(overall.seeds, 'seed')} in common, too few seeds to say "
            f"(it takes {ENOUGH_SEEDS})."
        )
    found = f"difference {_numbers(overall.estimate)}; {counted(overall.seeds, 'seed')}"
    if len(outcomes.tasks) == 1:
        return f"{_relation(overall, outcomes.tasks)} ({found})."
    by_task = _each_task(outcomes, overall)
    closer = sum(each.told_apart and each.estimate is not None and each.estimate.value > 0 for each in by_task)
    count = f"closer on {closer} of {len(by_task)} tasks"
    told = "; ".join(_by_task(by_task))
    return f"{_relation(overall, overall.tasks)} ({found} or more a task), and {count}: {told}."


def _each_task(outcomes: Outcomes, overall: Difference) -> list[Difference]:
    """The same difference task by task; none where it is of one task itself."""
    tasks = outcomes.tasks if overall.task is None else ()
    return [outcomes.difference(overall.first, overall.second, task) for task in tasks]


def _relation(difference: Difference, tasks: Sequence[str]) -> str:
    where = f"on {tasks[0]}" if len(tasks) == 1 else f"over {counted(len(tasks), 'task')}"
    if difference.told_apart:
        assert difference.estimate is not None
        closer = "closer to the expert" if difference.estimate.value > 0 else "further from the expert"
        return f"{difference.first} is {closer} than {difference.second} {where}"
    return f"{difference.first} and {difference.second} cannot be told apart {where}"


def _by_task(differences: Sequence[Difference]) -> list[str]:
    """``closer on A (...) and B (...)``, ``further on C (...)``, ``not told apart on D (...)``."""
    kinds: dict[str, list[str]] = {}
    for each in differences:
        if each.estimate is None:
            kind, said = "too few seeds to say on {}", str(each.task)
        else:
            closer = "closer on {}" if each.estimate.value > 0 else "further on {}"
            kind = closer if each.told_apart else "not told apart on {}"
            value, low, high = each.estimate
            said = f"{each.task} ({value:.3f} [{low:.3f}, {high:.3f}])"
        kinds.setdefault(kind, []).append(said)
    return [kind.format(_listed(said)) for kind, said in kinds.items()]


def _without_closeness(outcomes: Outcomes) -> list[str]:
    tasks = [
        task
        for task in outcomes.tasks
        if all(cell.closeness is None for cell in outcomes.cells if cell.task == task and cell.runs)
    ]
    if not tasks:
        return []
    return [f"{_listed(tasks)}: no closeness is known, so that nothing here is said of it."]


def _failed(outcomes: Outcomes) -> list[str]:
    """Who lost runs: what is left of them may be the better part."""
    counts: Counter[str] = Counter()
    for cell in outcomes.cells:
        counts[cell.method] += cell.failed
    told = [f"{method} has {counted(count, 'run')} that failed" for method, count in counts.items() if count]
    return [f"{_listed(told)}, of which its mean knows nothing."] if told else []


def _nothing_known(outcomes: Outcomes) -> str:
    if not any(cell.runs for cell in outcomes.cells):
        return "No run has finished, so that there is nothing to say."
    return (
        "No method is said to be better: the demonstrations are too few to give closeness a scale, on every task that "
        "there are results of; `gailkit evaluate` says how many it takes."
    )


def _chance(shown: Sequence[Difference]) -> list[str]:
    if len(shown) < 2:
        return []
    return [
        f"These are {len(shown)} intervals of 95 % each: of methods that do not differ, one in 20 would seem to differ "
        "by chance."
    ]


def _numbers(estimate: Estimate) -> str:
    return f"{estimate.value:.3f}, 95 % interval {estimate.low:.3f} to {estimate.high:.3f}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_LISTED:
        names = [*names[: MOST_LISTED - 1], f"{len(names) - MOST_LISTED + 1} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
