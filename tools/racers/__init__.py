"""The contestants of tools/race.py, and what they are given."""
