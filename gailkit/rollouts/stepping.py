"""How environments are run: where, for how long they may think, and how often they may fail."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

from gailkit.errors import InputError

AUTO = "auto"
RESTARTS = 10
STEP_TIMEOUT = 300.0


@dataclass(frozen=True)
class Stepping:
    """Where environments are stepped, which makes no difference to what comes out, and what is put up with.

    Raises:
        InputError: for a value that is none of the kind.
    """

    workers: int | str = 1
    """Processes for the environments: 1 for this one, more for others; "auto" finds out what is fastest."""
    step_timeout: float = STEP_TIMEOUT
    """Seconds that a step or a reset in another process may take; then the environment has failed."""
    restarts: int = RESTARTS
    """How often environments may fail, and begin anew, before the failure is raised."""
    tell: Callable[[str], None] = warnings.warn
    """Takes what there is to say: of failures, and of what "auto" has chosen."""
    tell_of_none: bool = True
    """Whether it is said, too, that "auto" has chosen no other process."""

    def __post_init__(self) -> None:
        whole = isinstance(self.workers, int) and not isinstance(self.workers, bool) and self.workers >= 1
        if self.workers != AUTO and not whole:
            raise InputError(f"workers must be auto or a whole number, 1 or more; found {self.workers!r}")
        if not (isinstance(self.step_timeout, int | float) and 0 < self.step_timeout < math.inf):
            raise InputError(f"a step's time-out must be a number of seconds above 0; found {self.step_timeout!r}")
        if not isinstance(self.restarts, int) or self.restarts < 0:
            raise InputError(f"the number of restarts must be a whole number, 0 or more; found {self.restarts!r}")

    def check(self, num_envs: int) -> None:
        """Raise InputError if there are more workers than environments."""
        if isinstance(self.workers, int) and self.workers > num_envs:
            raise InputError(
                f"{self.workers} workers are more than the {num_envs} environments that are stepped together; accepted "
                f"are 1 to {num_envs}, or auto"
            )

    def for_at_most(self, num_envs: int) -> Stepping:
        """The same with no more workers than environments."""
        return replace(self, workers=min(self.workers, num_envs)) if isinstance(self.workers, int) else self
