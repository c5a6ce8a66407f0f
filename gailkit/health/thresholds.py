"""Where the rules on a run draw their lines.

The lines are rules of thumb, set so that the runs behind the project's own table of results are judged as their returns
judge them.
"""

from __future__ import annotations

FEWEST_ROWS = 10  # fewer iterations are too few to judge
PERFECT = 0.95  # both accuracies above: D separates the classes
MOST = 0.5  # share of a run in which it does, and
NEAR_BOUND = 0.97  # mean logits of both sides, of the most that the loss lets them be: D is saturated
SURE = 4.0  # mean logits of both sides that are saturated where no such bound is known: right with 98 %
TURN = 0.05  # by which a side's mean logit leads; noise around 0 does not
TURNS, FOOLED = 4, 0.35  # changes of the lead in the later half, and accuracies on either side that are a chase
RARELY = 0.05  # share of the iterations in which an accuracy is below FOOLED
APART = 0.8  # their mean above: D still tells policy and expert apart
CONFIDENT = 1.2  # distance of the mean logits above which D is sure of that
ALIKE = 0.6  # their mean below: D cannot tell
WRONG_SIDE = 0.05  # by which the policy's mean logit exceeds the expert's
LOUD_LOGIT, DRIFT = 2.5, 1.5  # mean logit at the end, and its growth since the middle, that are a drift
STILL_REWARD = 0.02  # standard deviation of the rewards below which they say nothing, in nats
NO_REWARD = 1e-6  # the same where not even a discriminator that cannot tell gives as little
DISCRETE_FLOOR = 0.05  # entropy of a choice that is made already, nats
GAUSSIAN_FLOOR = -2.5  # of each component of an action: its deviation is 2 % of half its range
FAR, NEAR = 1.0, 1e-4  # KL(old, new), nats, of the middling update: it is far, it is nothing
SAME_ACTION = 0.99  # share of the commonest action in a rollout above which there is no other
USELESS_VALUE = 0.0  # explained variance below which V is worse than a constant
FAILED_SEARCHES = 0.1  # of all line searches
FELL, FELL_PART = 0.25, 0.1  # of the range of returns in the run, and of the best return itself
SHORTER = 0.7  # of the longest mean length
RISING, AT_TOP = 0.05, 0.05  # of the range of returns: gained in the last tenth, and below the best at most
UNFINISHED = 0.98  # of the steps that were asked for
LIMITS = 2  # time limits within which an episode should have ended
