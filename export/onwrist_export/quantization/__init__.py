"""A float graph in, one INT8 graph in three files out, and the gate between."""
