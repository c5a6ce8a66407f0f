"""Where the numbers of a run are shown while it trains."""

from gailkit.tracking.protocol import TrackedRun, Tracker, TrackerFactory
from gailkit.tracking.tracking import NONE, TRACKERS, Tracking, named_trackers

__all__ = ["NONE", "TRACKERS", "TrackedRun", "Tracker", "TrackerFactory", "Tracking", "named_trackers"]
