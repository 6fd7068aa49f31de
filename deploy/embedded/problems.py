"""What can keep the platform from starting, said in one line."""


class StartProblem(Exception):
    """Ends the start: its text is one clear line (a log's tail may follow it) that names the way out; exit code 1."""
