"""What reaches the air: devices, the stream, the recorder."""
