"""The use cases: what the API, the console and the command line do, without knowing about HTTP."""
