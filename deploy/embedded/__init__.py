"""PostgreSQL, NATS and the four processes on one machine, without containers.

`supervisor` starts and watches everything; `servers` are the two servers it starts; `throwaway` are the same servers for
tests and benchmarks.
"""
