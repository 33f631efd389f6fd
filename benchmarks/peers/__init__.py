"""Servers that a user could pick instead, serving the same artifact, in a virtual environment of their own."""
