"""Scores beside baselines, probes, tables and figures."""
