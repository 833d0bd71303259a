"""Benchmarks: speed, memory, quality. Not part of the wheel."""
