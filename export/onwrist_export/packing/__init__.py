"""From a checkpoint to a bundle: quantize, check, pack."""
