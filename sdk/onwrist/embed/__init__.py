"""A bundle in, the files that an app in another language needs out."""
