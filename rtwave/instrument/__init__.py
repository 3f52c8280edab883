"""What a player does: MIDI in, commands to the engine out, scores and takes as MIDI files."""
