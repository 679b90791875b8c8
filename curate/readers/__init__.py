"""Raw files in, raw trajectories out: one small module a format behind one registry (`curate.readers.registry`)."""
