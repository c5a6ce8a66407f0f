"""``gailkit evaluate``: running policies, and telling how closely they match the expert."""
