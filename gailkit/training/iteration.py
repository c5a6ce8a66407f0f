"""What a function that looks on at a training is called with: the metrics of an iteration, and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gailkit.generator import TrainedPolicy
from gailkit.training.choosing import with_state
from gailkit.training.loop import Trainer


class Iteration(dict[str, float]):
    """The metrics of an iteration that is over, by name, and what may be done now, before the next one begins.

    A function that wants the numbers alone takes it for the dict that it is. Where several processes train together
    the function is called in each of them, with the same numbers, and has to ask for the same in each.
    """

    def __init__(self, metrics: Mapping[str, float], trainer: Trainer, policy: TrainedPolicy) -> None:
        super().__init__(metrics)
        self.trainer, self._policy = trainer, policy  # every object of the run
        self.stops = False
        self.saves = False

    @property
    def number(self) -> int:
        """Of the iteration, counted from 1 over the whole run."""
        return self.trainer.iteration

    @property
    def steps(self) -> int:
        """That the run has learned from."""
        return self.trainer.steps

    @property
    def policy(self) -> TrainedPolicy:
        """The policy as it is now, taking its likeliest actions: a copy, which training does not change."""
        return with_state(self._policy, self._policy.actor_critic.state_dict())

    def stop(self) -> None:
        """Let this iteration be the last. The run ends as if its steps were done: an imitation chooses its policy, the
        folder is whole, and ``resume`` goes on with it from here."""
        self.stops = True

    def save(self) -> None:
        """Have the last checkpoint written as soon as the function returns, and not only when it is time again."""
        self.saves = True

    def change(self, name: str, value: float) -> None:
        """Let a setting be another from the next iteration on, also when the run is resumed.

        Args:
            name: one of ``training.changing.CHANGEABLE``, as in TOML: ``policy.learning_rate``. A schedule goes on
                multiplying what it is changed to.

        Raises:
            InputError: for another name (those that are accepted are listed), one that the run does not have, or a
                value that is refused.
        """
        self.trainer.change(name, value)


OnIteration = Callable[[Iteration], None]
