"""The day model: what it learns from, how it is masked, trained and run."""
