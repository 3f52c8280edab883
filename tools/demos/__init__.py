"""The phrases that the presets of the bank play: written for rtwave, under its licence."""
