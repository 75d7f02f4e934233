"""The host of a bundle in other languages: sources that `onwrist embed` writes out."""
