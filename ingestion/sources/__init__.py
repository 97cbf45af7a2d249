"""How each system is read, and nothing else."""
