"""What the benchmark of events is made of: made-up events, and the processes they go through."""
