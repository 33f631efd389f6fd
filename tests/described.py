"""What tests read in the OpenAPI document."""

from jsonschema import Draft202012Validator, FormatChecker

METHODS = {"get", "put", "post", "delete", "patch"}


def operations(document):
    """Method, path and operation of everything described."""
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def parameters(document, path, operation):
    """The parameters of an operation and of its path."""
    return [*operation.get("parameters", []), *document["paths"][path].get("parameters", [])]


def resolved(document, thing):
    """The thing that a reference names, or the thing itself."""
    if "$ref" in thing:
        *_, kind, name = thing["$ref"].split("/")
        return document["components"][kind][name]
    return thing


def faults(document, schema, value):
    """What is wrong with a value by a schema of the document."""
    rooted = {key: schema[key] for key in schema if key != "example"} | {"components": document["components"]}
    validator = Draft202012Validator(rooted, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
