"""What race.py is made of: environments and models of peers, their processes, the report."""
