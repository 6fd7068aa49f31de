"""What every process is built with."""
