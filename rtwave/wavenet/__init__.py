"""What the network is: configuration, codec, conditioning, weights, torch module and NumPy reference."""
