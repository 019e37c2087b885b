"""What bench.py measures, a module a work."""
