"""What bench.py measures: a work a file, and how it is timed and printed."""
