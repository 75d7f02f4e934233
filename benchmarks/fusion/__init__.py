"""What fusion.py makes of evidence, one module each: scores, trust, tables, figures."""
