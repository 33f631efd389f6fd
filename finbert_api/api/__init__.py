"""HTTP in and out: blueprints, schemas, authentication, problem details, documentation pages."""
