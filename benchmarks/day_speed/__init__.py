"""What day_speed.py measures, one module each."""
