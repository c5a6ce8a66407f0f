"""gailkit's own file: flat arrays over all episodes, a SHA-256 for each episode, and a header that is digested too.

Layout of the root, N episodes of lengths L_i::

    observations    (sum(L_i + 1), *obs)   each episode's last observation included
    actions         (sum(L_i), *act)       not where the attribute ``actions`` says "none" (format version 2)
    rewards         (sum(L_i),)            optional
    episode_lengths (N,) int64
    terminated      (N,) bool
    truncated       (N,) bool              not terminated
    episode_seeds   (N,) int64             -1 for none
    digests         (N, 32) uint8
    attributes: format, format_version, env_id, env_kwargs, observation_space, action_space, provenance, header_digest

Observations or actions of several parts (Dict and Tuple spaces) are a group of arrays, nested as the space is.
A changed bit is met by HDF5's own checksums (metadata since 1.10, chunks by fletcher32) or by the digests.
"""
