"""What days.py measures, one module each: tasks, baselines, statistics, tables, figures."""
