"""Foreign formats, one file each: NAME, ``recognises`` and ``read``."""
