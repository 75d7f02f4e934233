"""Training, calibration, and the checkpoints they write."""
