"""The report on a real evaluation says its numbers; whatever is missing costs a sentence, and no name can harm it."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError
from gailkit.evaluation.compare import Candidate, compare
from gailkit.evaluation.evaluate import Evaluation, evaluate
from gailkit.evaluation.giveaways import GiveAway
from gailkit.evaluation.side_by_side import Animation
from gailkit.evaluation.verdict import DIFFERENT, INDISTINGUISHABLE, NOT_ENOUGH_EXPERT, RULE
from gailkit.report.again import in_lines
from gailkit.report.comparison import comparison_page, write_comparison
from gailkit.report.maps import principal_plane
from gailkit.report.numbers import numbers_section
from gailkit.report.page import Page, Section, Verdict
from gailkit.report.record import RunRecord
from gailkit.report.report import About, report_page, write_report
from gailkit.report.telltales import telltales_section
from gailkit.report.thresholds import Plan
from gailkit.report.verdicts import banner
from gailkit.report.words import counted, estimated, number, p_value, percent
from gailkit.spaces import space_to_json
from gailkit.training.run import RunFolder

HOSTILE = "</style></script><script>document.body.id='broken'</script><img src=x onerror=\"x()\">' & $\\frac$\x1b[2J"
Change = Callable[..., Evaluation]


def swinging(observations: np.ndarray) -> np.ndarray:
    """Pushes the car of MountainCar the way it goes, which brings it up the hill."""
    return np.where(observations[:, 1] < 0, 0, 2)


@pytest.fixture(scope="session")
def evaluation(repository: Path) -> Evaluation:
    """A simple rule beside the expert of MountainCar."""
    demonstrations = Demonstrations.load(repository / "datasets" / "mountaincar-v0.hdf5").choose(12)
    return evaluate(swinging, demonstrations, "MountainCar-v0", episodes=10)


@pytest.fixture
def changed(evaluation: Evaluation) -> Change:
    """``changed(held_out=True, closeness__two_sample=None)``: the evaluation with other values in it."""

    def change(**values: Any) -> Evaluation:
        deep = {name.removeprefix("closeness__"): value for name, value in values.items() if "__" in name}
        flat = {name: value for name, value in values.items() if "__" not in name}
        made = dataclasses.replace(evaluation, **flat)
        vars(made)["closeness"] = dataclasses.replace(evaluation.closeness, **deep)  # where the property keeps it
        return made

    return change


class Words(HTMLParser):
    """The text of a page outside of styles, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.text += f" {data}"


def spaced(text: str) -> str:
    """With ordinary spaces for those at which no line breaks."""
    return text.replace("\u00a0", " ")


def said(section: Section) -> str:
    """The text of one section."""
    return Words(Page("", "", Verdict("note", ""), [section]).render()).text


def words(evaluation: Evaluation, **about: Any) -> str:
    return Words(report_page(evaluation, About("runs/swinging", "demos.hdf5", **about)).render()).text


def test_the_rule_and_the_verdict_come_before_the_numbers(evaluation: Evaluation) -> None:
    text = words(evaluation)
    verdict, rule, numbers = (
        text.index(part) for part in (evaluation.closeness.verdict.sentence, RULE[1:], "What was measured")
    )
    assert rule < verdict < numbers
    assert text.startswith("How closely does swinging match the expert?")
    assert (
        "MountainCar-v0: 10 episodes of runs/swinging, seed 0, beside 12 episodes of the expert from demos.hdf5" in text
    )


def test_the_table_has_the_numbers_of_the_evaluation(evaluation: Evaluation) -> None:
    text, found = said(numbers_section(evaluation)), evaluation.closeness
    mean, test = found.returns.policy.mean, found.two_sample
    assert test is not None
    assert f"mean return {number(mean.value)} [{number(mean.low)}, {number(mean.high)}]" in text
    assert spaced(f"classifier AUC {number(test.auc)}, {p_value(test.p)} 0.5") in text
    assert f"distance {number(found.occupancy.distance)} {number(found.occupancy.floor)}" in text
    assert spaced(f"same action {percent(evaluation.actions.action_agreement)}") in text


def test_every_section_is_there_and_every_feature_has_a_panel(evaluation: Evaluation) -> None:
    page = report_page(evaluation, About("policy", "demos"))
    assert [section.title for section in page.sections] == [
        "The numbers", "Episodes: returns and lengths", "What is seen and done", "Where they spend their time",
        "What gives the policy away", "How it was trained", "To do it again",
    ]  # fmt: skip
    text = page.render()
    assert text.count("<svg viewBox") - text.count('<svg viewBox="0 0 36 12"') == 2 + 3 + 3 + 2
    for name in ("position", "velocity", "action"):
        assert f"<figcaption>{name}</figcaption>" in text
    assert len(text.encode()) < 400_000


@pytest.mark.parametrize(
    "verdict, tone", [(INDISTINGUISHABLE, "good"), (DIFFERENT, "bad"), (NOT_ENOUGH_EXPERT, "note"), ("odd", "note")]
)
def test_the_tone_is_that_of_the_verdict(evaluation: Evaluation, changed: Change, verdict: str, tone: str) -> None:
    judged = dataclasses.replace(evaluation.closeness.verdict, verdict=verdict)
    shown = banner(changed(closeness__verdict=judged))
    assert shown.tone == tone and shown.title.lower() == verdict


def test_a_policy_that_knows_the_episodes_is_said_to(changed: Change) -> None:
    told = {known: said(numbers_section(changed(held_out=known))) for known in (True, False, None)}
    warning = "The policy was trained on the very episodes that it is compared with"
    assert [warning in text for text in told.values()] == [False, True, False]
    assert ["it may know the episodes" in text for text in told.values()] == [False, False, True]


def test_what_is_not_known_costs_a_sentence_and_no_section(evaluation: Evaluation, changed: Change) -> None:
    found = evaluation.closeness
    returns = dataclasses.replace(
        found.returns,
        expert=None,
        difference=None,
        score=None,
        score_iqm=None,
        improvement=None,
        paired_with_expert=None,
    )
    occupancy = dataclasses.replace(
        found.occupancy, floor=None, excess=None, closeness=None, detectable=None, state_closeness=None
    )
    unrewarded = [dataclasses.replace(episode, rewards=None) for episode in evaluation.shown]
    poor = changed(
        shown=unrewarded, closeness__returns=returns, closeness__occupancy=occupancy, closeness__two_sample=None,
        closeness__coverage=None, closeness__give_aways=(),
    )  # fmt: skip
    text = words(poor)
    assert "the expert's was not recorded" in text and "The expert's rewards were not recorded." in text
    assert "takes two episodes of each; there are fewer" in text
    assert "could not be drawn" not in text and "None" not in text and "nan" not in text.split()


def test_what_gives_nobody_away_is_said(evaluation: Evaluation, changed: Change) -> None:
    test = evaluation.closeness.two_sample
    assert test is not None
    chance = changed(closeness__two_sample=dataclasses.replace(test, p=0.4), closeness__give_aways=())
    assert "no better than chance: nothing gives the policy away" in said(telltales_section(chance.closeness))
    spread = changed(closeness__two_sample=dataclasses.replace(test, p=0.002), closeness__give_aways=())
    assert "by no single feature in particular" in said(telltales_section(spread.closeness))


def test_a_section_that_cannot_be_drawn_becomes_a_sentence(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("the ink is out")

    monkeypatch.setattr("gailkit.report.report.maps_section", refuse)
    text = words(evaluation)
    assert "This part could not be drawn the ink is out." in text and "What gives the policy away" in text


def test_names_from_anywhere_are_shown_and_do_nothing(evaluation: Evaluation, changed: Change) -> None:
    found = evaluation.closeness
    named = tuple(dataclasses.replace(each, name=HOSTILE) for each in found.steps.features)
    hostile = changed(
        env_id=HOSTILE,
        closeness__steps=dataclasses.replace(found.steps, features=6 * named),
        closeness__occupancy=dataclasses.replace(found.occupancy, features=6 * found.occupancy.features),
        closeness__give_aways=(GiveAway(HOSTILE, 0.1, f"{HOSTILE} is higher"),),
    )
    run = RunRecord([HOSTILE, {HOSTILE: 1.0, "steps": 1}], {"command": HOSTILE, "config": HOSTILE})
    about = About(HOSTILE, HOSTILE, (HOSTILE,), {HOSTILE: HOSTILE}, run, None, (HOSTILE,))
    page = Words(report_page(hostile, about).render())
    assert not set(page.tags) & {"script", "img", "iframe", "link", "object"}
    assert "\x1b" not in page.text and page.text.count("<script>document.body.id='broken'</script>") > 10
    assert "The 12 that differ most are shown, and 6 features more are not." in page.text
    assert "Too short to judge" in page.text


def film() -> Animation:
    import io

    from PIL import Image

    images = [Image.new("RGB", (64, 40), colour) for colour in ("red", "lime", "blue")]
    file = io.BytesIO()
    images[0].save(file, "webp", save_all=True, append_images=images[1:], duration=100, lossless=True)
    return Animation(file.getvalue(), "image/webp", 64, 40, 0.3, "At half the pace.")


def test_the_animation_has_a_still_from_its_middle(evaluation: Evaluation) -> None:
    import base64
    import io

    from PIL import Image

    text = report_page(evaluation, About("policy", "demos", animation=film())).render()
    assert "At half the pace." in text and "data:image/webp;base64," in text
    (still,) = re.findall(r'<img src="data:image/png;base64,([^"]*)"', text)
    assert Image.open(io.BytesIO(base64.b64decode(still))).getpixel((5, 5)) == (0, 255, 0)


def test_a_report_is_written_whole_and_again_the_same(evaluation: Evaluation, tmp_path: Path) -> None:
    one, other = tmp_path / "one.html", tmp_path / "other.html"
    for path in (one, other):
        write_report(path, evaluation, spec="policy", demos="demos", notes=["Mind the gap."], versions={"torch": "2"})
    assert one.read_bytes() == other.read_bytes() and b"Mind the gap." in one.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "other.html"]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    description = {
        "config": {"steps": 4096},
        "action_space": space_to_json(Discrete(2)),
        "command": "gailkit train X-v0 --out run",
    }
    RunFolder.create(tmp_path / "run", description)
    return tmp_path / "run"


def test_a_record_of_a_run_is_its_metrics_plan_and_command(run_folder: Path) -> None:
    (run_folder / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2, "policy/kl": NaN}\n', encoding="utf-8")
    record = RunRecord.read(run_folder)
    assert len(record.rows) == 2 and record.command == "gailkit train X-v0 --out run"
    assert record.plan == Plan(steps=4096, action_components=0)


def test_a_run_without_metrics_has_no_rows(run_folder: Path) -> None:
    assert RunRecord.read(run_folder).rows == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000], ids=["no text", "deep"])
def test_metrics_that_cannot_be_read_are_refused_in_one_sentence(run_folder: Path, content: bytes) -> None:
    (run_folder / "metrics.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r"the metrics in .* cannot be read"):
        RunRecord.read(run_folder)


@pytest.mark.parametrize(
    "description", [{}, {"config": 3}, {"config": {"steps": "x"}, "action_space": [], "command": 1}]
)
def test_a_strange_description_tells_nothing(description: dict[str, Any]) -> None:
    record = RunRecord([], description)
    assert (record.plan, record.command) == (Plan(None, None), None)


def test_a_plane_has_the_directions_of_most_variance_and_sides_that_count_alike() -> None:
    random = np.random.default_rng(0)
    wide = random.normal(size=(4000, 3)) * [0.1, 5, 2]
    plane = principal_plane(wide, wide[:40])
    assert np.abs(plane.directions) == pytest.approx(np.array([[0, 1, 0], [0, 0, 1]]), abs=0.05)
    assert plane.directions.max(axis=1) == pytest.approx([1, 1], abs=0.01)
    assert plane.shares.sum() == pytest.approx(1, abs=0.01)
    apart = principal_plane(np.full((9999, 2), [0.0, 1.0]), np.full((3, 2), [0.0, 3.0]))
    assert apart.center.tolist() == [0, 2] and apart.directions[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    "command", ["gailkit evaluate run", f"gailkit evaluate 'a -- b' --demos {'x' * 70} --report 'my file.html'"]
)
def test_a_command_in_lines_is_the_same_command(command: str) -> None:
    assert shlex.split(in_lines(command).replace("\\\n", "")) == shlex.split(command)
    assert max(map(len, in_lines(command).splitlines())) <= 90


def test_what_is_no_command_is_shown_as_it_is() -> None:
    broken = f"it's {'x' * 100}"
    assert in_lines(broken) == broken


def test_numbers_have_four_digits_that_count() -> None:
    written = [number(value) for value in (430.234, 0.87123, 1234567.0, -203.86, 0.0, 1e-5, None, float("nan"), 12.0)]
    assert written == ["430.2", "0.871", "1.23e+06", "-203.9", "0", "1e-05", "\u2013", "\u2013", "12.00"]


def test_no_rounding_makes_never_or_always() -> None:
    shares = [spaced(percent(share)) for share in (0.0, 0.001, 0.5, 0.999, 1.0, None)]
    assert shares == ["0 %", "0.1 %", "50 %", "99.9 %", "100 %", "\u2013"]
    assert [spaced(p_value(p)) for p in (0.0004, 0.002, 0.5)] == ["p < 0.001", "p = 0.002", "p = 0.5"]
    assert [counted(count, "episode") for count in (0, 1, 2000)] == ["0 episodes", "1 episode", "2,000 episodes"]


def candidates(evaluation: Evaluation, changed: Change) -> list[Candidate]:
    """Two runs of one method, and a policy of which less is known."""
    closeness = {"floor": None, "excess": None, "closeness": None}
    unknown = changed(closeness__occupancy=dataclasses.replace(evaluation.closeness.occupancy, **closeness))
    return [
        Candidate("runs/a-0", "runs/a", evaluation),
        Candidate("runs/a-1", "runs/a", evaluation),
        Candidate(HOSTILE, HOSTILE, unknown),
    ]


def test_several_policies_are_compared_on_one_page(evaluation: Evaluation, changed: Change, tmp_path: Path) -> None:
    path = tmp_path / "comparison.html"
    comparison = compare(candidates(evaluation, changed))
    write_comparison(path, comparison, demos="demos.hdf5", commands=["gailkit evaluate a b"], notes=["Mind the gap."])
    text = Words(path.read_text(encoding="utf-8")).text
    method = comparison.methods[0]
    assert method.closeness is not None
    parts = (RULE[1:], "Mind the gap.", "Methods side by side", "Two by two", "gailkit evaluate a b")
    place = [text.rindex(part) for part in parts]  # the last one, for the table of contents has headings too
    assert place == sorted(place)
    assert "How closely do 3 policies match the expert?" in text
    assert f"The closest is runs/a: closeness {spaced(estimated(method.closeness))}" in text
    verdict = evaluation.closeness.verdict
    assert f"runs/a 2 2 {verdict.verdict} {spaced(estimated(method.returns.policy.mean))}" in text
    assert text.count(verdict.sentence) >= 3 and "runs/a-1: " in text
    (contrast,) = comparison.contrasts
    assert f"runs/a {HOSTILE[:9]}" in text and spaced(estimated(contrast.improvement)) in text


def test_methods_without_a_closeness_have_no_closest(evaluation: Evaluation, changed: Change) -> None:
    page = comparison_page(compare(candidates(evaluation, changed)[2:]), "demos.hdf5", [], {}, [])
    assert page.verdict.title == "Closeness is not known of these policies"
    assert "Two by two" not in {section.title for section in page.sections}
    assert not set(Words(page.render()).tags) & {"script", "img"}
