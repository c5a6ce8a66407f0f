"""A process that steps some of the environments. It ends when the process that it works for does."""

from __future__ import annotations

import mmap
import os
import pickle
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from gailkit.errors import GailkitError, InputError
from gailkit.importing import describe_foreign
from gailkit.rollouts.group import Arrays, Group
from gailkit.rollouts.protocol import Failure
from gailkit.rollouts.workers import wire

GRACE = 3.0  # seconds between the end of the process it works for and the end of this one, to close environments in


def main(commands: int, answers: int, lifeline: int, memory: int, awake: float) -> None:
    """Make environments and step them, as ``commands`` ask for it, until nothing more can be asked.

    Args:
        commands, answers: the pipes of ``workers.wire``.
        lifeline: a pipe that ends with the process at the other end of it.
        memory: the file that the arrays lie in.
        awake: seconds of waiting for commands before it sleeps.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # whom they reach stops this process in good order
        signal.signal(number, _nothing)  # not SIG_IGN, which the programs that an environment starts would inherit
    for pipe in (commands, answers, lifeline, memory):
        os.set_inheritable(pipe, False)
    threading.Thread(target=_outlive_nobody, args=(lifeline,), daemon=True).start()
    group: Group | None = None
    try:
        while kind := wire.receive(commands, awake):
            if kind == wire.MAKE:
                group, num_envs = _made(wire.receive_message(commands), answers)
            elif group is not None and kind == wire.ATTACH:
                group.attach(Arrays.on(mmap.mmap(memory, 0), group.about, num_envs))
                wire.send(answers, wire.DONE)
            elif group is not None:
                _answer(answers, _done(group, kind, commands))
    except (BrokenPipeError, EOFError):
        pass  # nobody is there to be answered
    finally:
        if group is not None:
            group.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # without taking modules apart, which takes longer than all else here


def _done(group: Group, kind: bytes, commands: int) -> dict[int, Failure]:
    if kind == wire.STEP:
        return group.step()
    return group.reset() if kind == wire.RESET else group.replay(wire.receive_message(commands))


def _answer(answers: int, failures: dict[int, Failure]) -> None:
    if failures:
        wire.send_message(answers, wire.FAILED, pickle.dumps(failures))
    else:
        wire.send(answers, wire.DONE)


def _made(request: tuple[bytes, Sequence[int], int, Sequence[int]], answers: int) -> tuple[Group | None, int]:
    """The environments, None where they cannot be made; what they are, or why not, is answered."""
    pickled, indices, num_envs, entropy = request
    _seed_globally(entropy)
    try:
        group = Group(_unpickled(pickled), indices)
    except GailkitError as error:
        wire.send_message(answers, wire.REFUSED, pickle.dumps((type(error).__name__, str(error))))
        return None, num_envs
    except Exception as error:  # the factory may be foreign code and raise anything
        said = f"the environment failed while it was made: {describe_foreign(error, __file__)}"
        wire.send_message(answers, wire.REFUSED, pickle.dumps(("EnvironmentFailure", said)))
        return None, num_envs
    wire.send_message(answers, wire.MADE, pickle.dumps(group.about))
    return group, num_envs


def _unpickled(factory: bytes) -> Any:
    try:
        return pickle.loads(factory)
    except Exception as error:  # modules are imported, which may raise anything
        raise InputError(
            f"the environment cannot be made in a worker process ({describe_foreign(error, __file__)}); it can if it "
            "is defined in a module that can be imported, or with one worker, which is this process"
        ) from error


def _seed_globally(entropy: Sequence[int]) -> None:
    """For environments that draw from where everybody does."""
    numbers = np.random.SeedSequence(entropy).generate_state(3)
    random.seed(int(numbers[0]))
    np.random.seed(int(numbers[1]))
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(int(numbers[2]))


def _outlive_nobody(lifeline: int) -> None:
    """Wait for the end of the process that this one works for, and then for the end of what is in progress here."""
    os.read(lifeline, 1)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def _nothing(number: int, frame: Any) -> None:
    """Hear of a signal and go on."""
