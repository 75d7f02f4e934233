"""What a bundle's confidence means for just the sensors that are there."""
