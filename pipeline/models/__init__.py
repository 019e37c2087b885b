"""The acoustic model and its recurrent cells."""
