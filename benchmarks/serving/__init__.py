"""What serve.py is made of: watches, slow and dead clients, and the process that serves."""
