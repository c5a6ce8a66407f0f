"""The section on whole episodes: what they earn, how long they last."""

from __future__ import annotations

from collections.abc import Sequence

from gailkit.demonstrations.episodes import Episodes, as_episodes
from gailkit.evaluation.evaluation import Evaluation
from gailkit.report.blocks import Block, Panel, Panels, Paragraph
from gailkit.report.page import Section
from gailkit.report.palette import EXPERT, POLICY
from gailkit.report.panels import MOST_MARKS, draw_cumulative, draw_marks
from gailkit.wording import counted


def episodes_section(evaluation: Evaluation) -> Section:
    """Returns and lengths of the policy's episodes and of the expert's that they were compared with."""
    sides = [(EXPERT, as_episodes(evaluation.shown)), (POLICY, as_episodes(evaluation.played))]
    earned = [(side, returns) for side, episodes in sides if (returns := episodes.returns()) is not None]
    lasted = [(side, episodes.lengths.astype(float)) for side, episodes in sides]
    panels = [
        Panel("Returns, a mark for each episode", draw_marks(earned, "The return of each episode", "return"), _LINE),
        Panel("Share of episodes that earn at most so much", draw_cumulative(earned, "Returns, cumulative", "return")),
        Panel("Lengths, a mark for each episode", draw_marks(lasted, "The length of each episode", "steps"), _LINE),
    ]
    return Section("Episodes: returns and lengths", [Paragraph(_counts(evaluation, sides[0][1])), _block(panels)])


_LINE = "The line is the mean."


def _block(panels: Sequence[Panel]) -> Block:
    return Panels(panels, [EXPERT, POLICY])


def _counts(evaluation: Evaluation, shown: Episodes) -> str:
    said = (
        f"{counted(len(evaluation.played), 'episode')} of the policy beside {len(shown)} of the "
        f"{counted(evaluation.expert_episodes, 'episode')} of the expert."
    )
    if max(len(shown), len(evaluation.played)) > MOST_MARKS:
        said += f" Of more than {MOST_MARKS}, so many are drawn, evenly chosen from the least to the most."
    return said if shown.returns() is not None else f"{said} The expert's rewards were not recorded."
