"""A configuration -> a run: fit, callbacks, checkpoints."""
