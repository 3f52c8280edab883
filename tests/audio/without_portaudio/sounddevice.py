"""Stands before the real module in test_devices.py: what its import does where the library is missing."""

raise OSError("PortAudio library not found")
