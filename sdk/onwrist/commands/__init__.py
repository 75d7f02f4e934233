"""The commands of `onwrist`, one module each: add_arguments(parser) and run(arguments)."""
