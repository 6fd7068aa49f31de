"""`kkb`: the command line of the platform, a client of the gateway like any other."""
