"""How the service is watched: JSON logs and metrics."""
