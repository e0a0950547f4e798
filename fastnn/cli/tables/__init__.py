"""Runs on tables in files, and models of tables."""
