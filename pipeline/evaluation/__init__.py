"""How well transcripts match. No Keras."""
