"""The picture of a data set shows true numbers, whatever the data, and no words run into each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from matplotlib.axes import Axes
from matplotlib.axis import Tick
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.episodes import HeldEpisodes
from gailkit.demonstrations.picture import marginals
from gailkit.demonstrations.picture.figure import draw_demonstrations, picture
from gailkit.errors import InputError
from gailkit.spaces import from_gymnasium
from gailkit.types import Trajectory

Make = Callable[..., Demonstrations]


def of_shape(shape: tuple[int, ...], lengths: list[int], **about: Any) -> Demonstrations:
    """Episodes of normal observations of this shape, two continuous actions and rewards; every third terminates."""
    random = np.random.default_rng(0)
    trajectories = [
        Trajectory(random.normal(size=(n + 1, *shape)), random.normal(size=(n, 2)), random.normal(size=n), i % 3 == 0)
        for i, n in enumerate(lengths)
    ]
    return Demonstrations(tuple(trajectories), **about)


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes}


def headings(figure: Figure) -> list[str]:
    """The title of the picture and of each block."""
    rows = figure.subfigs
    return [figure.get_suptitle(), *(part.get_suptitle() for row in rows for part in row.subfigs)]


def heights(axes: Axes) -> list[float]:
    return [bar.get_height() for container in axes.containers for bar in container]


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_titles_say_what_the_data_are(make_demonstrations: Make) -> None:
    title, *blocks = headings(picture(make_demonstrations([2, 4, 9, 5])))
    assert title.splitlines() == [
        'Numbers-v0 {"size": 3}',
        "4 episodes, 2 terminated and 2 truncated; 20 steps; mean return 5, sd 2.94",  # sqrt((9 + 1 + 16 + 0) / 3)
    ]
    assert blocks == ["", "Observations: 2 features", "Actions: 1 feature"]


def test_returns_have_a_bar_for_how_many_a_tick_for_each_and_their_mean(make_demonstrations: Make) -> None:
    axes = panels(picture(make_demonstrations([2, 4, 9, 5, 5])))["Returns"]
    assert sum(heights(axes)) == 5
    ticks, mean = axes.lines
    assert list(ticks.get_xdata()) == [2, 4, 9, 5, 5]
    assert list(mean.get_xdata()) == [5, 5] and legend(axes) == ["mean 5"]


def test_lengths_are_stacked_by_ending_which_hatching_tells_too(make_demonstrations: Make) -> None:
    axes = panels(picture(make_demonstrations([2, 4, 4, 4, 3])))["Lengths"]
    assert legend(axes) == ["truncated (3)", "terminated (2)"]
    truncated, terminated = axes.containers
    assert [bar.get_height() for bar in truncated] == [1, 1, 1]  # 2, 3 and 4 steps
    assert [(bar.get_y(), bar.get_height()) for bar in terminated] == [(1, 0), (1, 0), (1, 2)]
    assert {bar.get_hatch() for bar in truncated}.isdisjoint(bar.get_hatch() for bar in terminated)


def test_returns_in_order_have_a_mark_of_its_own_for_each_ending(make_demonstrations: Make) -> None:
    axes = panels(picture(make_demonstrations([2, 4, 9])))["Returns in recorded order"]
    truncated, terminated = axes.lines
    assert (list(truncated.get_xdata()), list(truncated.get_ydata())) == ([0, 2], [2, 9])
    assert (list(terminated.get_xdata()), list(terminated.get_ydata())) == ([1], [4])
    assert truncated.get_marker() != terminated.get_marker()


def test_discrete_actions_are_shares_of_all_choices_also_of_those_never_taken(make_demonstrations: Make) -> None:
    whole = replace(make_demonstrations([3]), action_space=Discrete(4))  # actions 0, 1, 0
    axes = panels(picture(whole))["action"]
    assert heights(axes) == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert [text.get_text() for text in axes.texts] == ["66.7%", "33.3%", "0.0%", "0.0%"]
    unknown = panels(picture(replace(whole, action_space=None)))["action"]
    assert heights(unknown) == pytest.approx([2 / 3, 1 / 3])


def test_actions_beyond_their_bounds_are_counted() -> None:
    actions = np.array([[0.0, 0.0], [2.0, 0.5], [-3.0, 1.0], [0.0, -1.0]])
    whole = Demonstrations(
        (Trajectory(np.zeros((5, 1)), actions, None, False),), action_space=Box(-1, 1, (2,)), observation_space=None
    )
    shown = panels(picture(whole))
    assert {"action[0]\n50.0% outside the bounds", "action[1]"} <= set(shown)
    assert [list(line.get_xdata()) for line in shown["action[1]"].lines] == [[-1, -1], [1, 1]]


def test_of_many_features_those_that_vary_most_are_shown_and_the_others_counted() -> None:
    whole = of_shape((300,), [40])
    scale = np.where(np.arange(300) < 200, np.arange(300), 0)
    (episode,) = whole.trajectories
    figure = picture(
        replace(whole, trajectories=(replace(episode, observations=np.sign(episode.observations) * scale),))
    )
    assert "Observations: the 12 of 300 features that vary most, 101 of 300 never vary" in headings(figure)
    shown = [title for title in panels(figure) if title.startswith("observation[")]
    assert len(shown) == 12 and all(int(title[12:-1]) > 150 for title in shown)


def test_it_is_said_how_much_of_large_data_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marginals, "MAX_STEPS", 7)
    assert headings(picture(of_shape((2,), [4, 5])))[2:] == [
        "Observations: 2 features; of 7 out of 11", "Actions: 2 features; of 7 out of 9",
    ]  # fmt: skip


def test_images_are_shown_as_such() -> None:
    images = np.zeros((6, 20, 24, 3), np.uint8)
    images[3:] = 60
    figure = picture(Demonstrations((Trajectory(images, np.zeros(5, np.int64), np.ones(5), False),)))
    shown = panels(figure)
    assert "Observations: images of 20 x 24 x 3, uint8; means of 6" in headings(figure)
    seen = [float(np.asarray(shown[f"episode 0, step {step}"].images[0].get_array()).mean()) for step in range(6)]
    assert seen == pytest.approx([0, 0, 0, *[60 / 255] * 3])
    intensity = heights(shown["mean of an image"])
    assert (intensity[0], intensity[-1], sum(intensity)) == (3, 3, 6)


def test_parts_of_a_space_have_their_names_and_images_a_block_of_their_own() -> None:
    space = Dict(
        {"hand": Dict({"angle": Box(-1, 1, (2,)), "holds": Discrete(3)}), "camera": Box(0, 255, (20, 20), np.uint8)}
    )
    observations = from_gymnasium(space, [space.sample() for _ in range(7)])
    episodes = HeldEpisodes([Trajectory(observations, np.zeros(6, np.int64), None, True)])
    whole = Demonstrations(episodes, observation_space=space)
    figure = picture(whole)
    assert headings(figure)[2:4] == [
        "Observations.camera: images of 20 x 20, uint8; means of 7", "Observations: 3 features",
    ]  # fmt: skip
    assert {"hand.angle[0]", "hand.angle[1]", "hand.holds", "action"} <= set(panels(figure))


def test_what_never_varies_is_said_and_no_rewards_are_no_returns(make_demonstrations: Make) -> None:
    whole = make_demonstrations([5])
    (episode,) = whole.trajectories
    still = replace(episode, observations=np.full((6, 1), 2.5), rewards=None)
    shown = panels(picture(replace(whole, trajectories=(still,), observation_space=None)))
    assert {"observation[0]: always 2.5", "Lengths: always 5", "Returns"} <= set(shown)
    assert "Returns in recorded order" not in shown
    assert [text.get_text() for text in shown["Returns"].texts] == ["no rewards were recorded"]


def words_of(figure: Figure) -> list[Text]:
    """Every text that is to be seen, placed where it is drawn; an axis keeps labels for ticks that it does not show."""
    FigureCanvasAgg(figure).draw()
    at_ticks = {label for tick in figure.findobj(Tick) for label in (tick.label1, tick.label2)}
    texts = [text for text in figure.findobj(Text) if text not in at_ticks and text.get_visible()]
    for axes in figure.axes:
        for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = sorted(axis.get_view_interval())
            texts += [label for label in axis.get_ticklabels() if low <= label.get_position()[place] <= high]
    return [text for text in texts if text.get_text().strip()]


HARD = {
    "one step": of_shape((3,), [1]),
    "many features": of_shape((120,), [30, 20, 9], action_space=Box(-1, 1, (2,))),
    "signs of formulas": of_shape((2, 2), [9, 9], env_id="Task$_{\\frac$-v0", env_kwargs={"\u65e5\x1b[2J": "$x"}),
    "a long name": of_shape((2, 2), [9, 9], env_id=f"Task-{'W' * 150}-v0", env_kwargs={"name": "x" * 400}),
    "images": of_shape((20, 20), [7] * 8),
    "many episodes": of_shape((4,), [5, 6] * 160),
    "huge": Demonstrations(
        tuple(Trajectory(np.full((3, 2), e), np.array([0, 10**15]), np.full(2, e), True) for e in (1e300, -1e300))
    ),
    "no numbers": Demonstrations((Trajectory(np.zeros((3, 0)), np.zeros(2, np.int64), np.zeros(2), True),)),
}


@pytest.mark.parametrize("whole", HARD.values(), ids=HARD)
def test_no_words_run_into_each_other_or_off_the_picture(whole: Demonstrations) -> None:
    figure = picture(whole)
    boxes = [(text.get_text(), text.get_window_extent()) for text in words_of(figure)]
    assert len(boxes) > 10
    for (first, one), (second, other) in itertools.combinations(boxes, 2):
        assert not one.padded(-1).overlaps(other.padded(-1)), f"{first!r} runs into {second!r}"
    for words, box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, f"{words!r} runs off the picture"
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, f"{words!r} runs off the picture"


@pytest.mark.parametrize("name, magic", [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")])
def test_the_ending_of_the_name_is_the_format(
    make_demonstrations: Make, tmp_path: Path, name: str, magic: bytes
) -> None:
    draw_demonstrations(make_demonstrations([2, 3]), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["a.jpg", "a", "png"])
def test_other_endings_are_refused(make_demonstrations: Make, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"accepted are \.png, \.svg, \.pdf"):
        draw_demonstrations(make_demonstrations([2]), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
