"""Runs on the data sets that are built in, and models that take rows of features."""
