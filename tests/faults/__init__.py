"""Faults made on purpose, and counts of what came of them: each module runs by itself, and shorter in the tests."""
