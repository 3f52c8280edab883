"""What a preset sounds like, measured: notes rendered by the engine that plays them, beside the recordings."""
