"""Recordings in, labelled windows and augmented batches out."""
