"""The formats that are read, one file each, with NAME, ``recognises`` and ``read``; a new one has its line here."""

_HOME = "gailkit.demonstrations"
FILES = {  # short name of a format -> its module; the first that recognises a file reads it
    "native": f"{_HOME}.native.reading",
    "d4rl": f"{_HOME}.formats.d4rl",
    "minari": f"{_HOME}.formats.minari",
    "robomimic": f"{_HOME}.formats.robomimic",
    "stable-baselines": f"{_HOME}.formats.stable_baselines",
    "cs285": f"{_HOME}.formats.cs285",
    "imitation-npz": f"{_HOME}.formats.imitation_npz",
    "columns": f"{_HOME}.formats.columns",  # the last: it takes any text or NPZ, and asks what its columns mean
}
FOLDERS = {"minari": f"{_HOME}.formats.minari", "imitation": f"{_HOME}.formats.imitation"}

SAID = {  # option that only some formats know (their TAKES) -> what it is about
    "obs_keys": "parts of an observation to choose (--obs-keys)",
    "mask": "lists of episodes (--mask)",
    "columns": "columns to be told (--columns)",
}
