"""Several sensors, any of which may be absent: models, training and their evidence."""
