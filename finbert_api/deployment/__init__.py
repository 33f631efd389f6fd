"""Releases on ECS: what runs, a new revision by digest, its smoke test, and the way back."""
