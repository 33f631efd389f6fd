"""The marshmallow schemas: what comes in and goes out, described for the readers of the generated documents."""
