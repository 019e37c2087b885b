"""Log probabilities -> text. No Keras."""
