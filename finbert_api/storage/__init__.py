"""Tables and queries: predictions, their counts, API keys, and the embedded PostgreSQL for machines without one."""
