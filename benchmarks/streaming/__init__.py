"""What stream.py measures, one module each."""
