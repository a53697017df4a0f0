"""What runs on a device: `run.py`, one file that needs only NumPy and LiteRT there."""
