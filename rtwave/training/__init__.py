"""How a network learns: recordings → corpus → dataset → trainer → preset."""
