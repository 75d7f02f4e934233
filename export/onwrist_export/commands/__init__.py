"""One module a command of `onwrist-export`: `add_arguments` and `run`."""
