"""The report on a real evaluation says its numbers; whatever is missing costs a sentence, and no name can harm it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gailkit.errors import InputError
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.giveaways import GiveAway
from gailkit.evaluation.side_by_side import Animation
from gailkit.evaluation.verdict import DIFFERENT, INDISTINGUISHABLE, NOT_ENOUGH_EXPERT, RULE
from gailkit.report.markup import escaped
from gailkit.report.numbers import numbers_section
from gailkit.report.page import Section
from gailkit.report.record import RunRecord
from gailkit.report.report import About, report_page, write_report
from gailkit.report.telltales import telltales_section
from gailkit.report.verdicts import banner
from gailkit.report.words import estimated, number, p_value, percent, short

HOSTILE = "</style></script><script>document.body.id='broken'</script><img src=x onerror=\"x()\">' & $\\frac$\x1b[2J"
Change = Callable[..., Evaluation]
Read = Callable[[str], Any]
Say = Callable[[Section], str]
Show = Callable[..., str]
Space = Callable[[str], str]


@pytest.fixture
def words(read: Read) -> Show:
    """``words(evaluation)``: those of its report."""

    def show(evaluation: Evaluation, **about: Any) -> str:
        return read(report_page(evaluation, About("runs/swinging", "demos.hdf5", **about)).render()).text

    return show


def test_the_page_begins_with_what_it_is_about(evaluation: Evaluation, words: Show) -> None:
    text = words(evaluation)
    assert text.startswith("How closely does swinging match the expert?")
    assert (
        "MountainCar-v0: 10 episodes of runs/swinging, seed 0, beside 12 episodes of the expert from demos.hdf5" in text
    )


def test_the_first_screen_is_the_verdict_its_reason_closeness_score_and_the_film(
    evaluation: Evaluation, read: Read
) -> None:
    """The rule stands behind it, folded away; the table of contents and the numbers come after."""
    page = report_page(evaluation, About("runs/swinging", "demos.hdf5", animation=film())).render()
    first, nav, rest = page.partition("<nav")
    assert nav and "What was measured" in rest and "At half the pace." not in rest
    found = evaluation.closeness
    assert found.occupancy.closeness is not None and found.returns.score is not None
    large = (f"<strong>{short(each.value)}</strong>" for each in (found.occupancy.closeness, found.returns.score))
    reason, caveats = found.verdict.reason, found.verdict.caveats
    folded = ("<details><summary>The rule, stated before any number was seen", escaped(RULE), *map(escaped, caveats))
    shown = ("data:image/webp;base64,", "At half the pace.")
    parts = ("<h2>", f"<p>{escaped(reason)}</p>", *large, *folded, "</details>", *shown)
    places = [first.index(part) for part in parts]
    assert places == sorted(places)
    assert caveats and first.count("<details") == 1
    assert first.count("<p>") == 4 + len(caveats), "summary, reason, rule and the film's caption"


def test_the_table_has_the_numbers_of_the_evaluation(evaluation: Evaluation, said: Say, spaced: Space) -> None:
    text, found = said(numbers_section(evaluation)), evaluation.closeness
    mean, test = found.returns.policy.mean, found.two_sample
    assert test is not None
    assert f"mean return {number(mean.value)} [{number(mean.low)}, {number(mean.high)}]" in text
    assert spaced(f"classifier AUC {estimated(test.area)}, {p_value(test.p)} 0.5") in text
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


def test_a_policy_that_knows_the_episodes_is_said_to(evaluation: Evaluation, changed: Change, said: Say) -> None:
    matches = {known: dataclasses.replace(evaluation.actions, action_held_out=known) for known in (True, False, None)}
    told = {known: said(numbers_section(changed(actions=match))) for known, match in matches.items()}
    warning = "The policy was trained on the very episodes that it is compared with"
    assert [warning in text for text in told.values()] == [False, True, False]
    assert ["it may know the episodes" in text for text in told.values()] == [False, False, True]


def test_what_is_not_known_costs_a_sentence_and_no_section(
    evaluation: Evaluation, changed: Change, words: Show
) -> None:
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


def test_what_gives_nobody_away_is_said(evaluation: Evaluation, changed: Change, said: Say) -> None:
    test = evaluation.closeness.two_sample
    assert test is not None
    chance = changed(closeness__two_sample=dataclasses.replace(test, p=0.4), closeness__give_aways=())
    assert "So many episodes do not show that it is better than chance" in said(telltales_section(chance.closeness))
    spread = changed(closeness__two_sample=dataclasses.replace(test, p=0.002), closeness__give_aways=())
    assert "by no single feature in particular" in said(telltales_section(spread.closeness))


def test_a_section_that_cannot_be_drawn_becomes_a_sentence(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, words: Show
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("the ink is out")

    monkeypatch.setattr("gailkit.report.report.maps_section", refuse)
    text = words(evaluation)
    assert "This part could not be drawn the ink is out." in text and "What gives the policy away" in text


def test_names_from_anywhere_are_shown_and_do_nothing(evaluation: Evaluation, changed: Change, read: Read) -> None:
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
    page = read(report_page(hostile, about).render())
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
