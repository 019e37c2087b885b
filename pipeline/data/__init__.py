"""Sources of speech -> utterances -> batches."""
