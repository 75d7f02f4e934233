"""A model on a port of this machine: windows and streams in, predictions out."""
