"""The configuration as it is written: format, validity, variables, its own tests, checkov."""

import re

import pytest
from infrastructure.checkov import run_checkov

from finbert_api.settings import PROJECT_ROOT

TERRAFORM = PROJECT_ROOT / "terraform"
ROOTS = ("bootstrap", "environments/dev", "environments/prod")
BLOCK = re.compile(r'^(variable|output) "([a-z_0-9]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def blocks(kind):
    return [
        pytest.param(body, id=f"{path.parent.relative_to(TERRAFORM)}:{name}")
        for path in sorted(TERRAFORM.rglob(f"{kind}s.tf"))
        if ".terraform" not in path.parts
        for found, name, body in BLOCK.findall(path.read_text())
        if found == kind
    ]


def test_is_formatted(terraform):
    terraform(".", "fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("root", ROOTS)
def test_is_valid(terraform, root):
    terraform.init(root, "-backend=false")
    terraform(root, "validate")


def test_its_own_tests_pass(terraform):
    terraform.init(".")
    assert "Success!" in terraform(".", "test", "-no-color")


@pytest.mark.parametrize("body", blocks("variable"))
def test_variable_is_typed_and_described(body):
    assert re.search(r"^  description = \S", body, re.MULTILINE)
    assert re.search(r"^  type +=", body, re.MULTILINE)
    # null is for what may be left out.
    assert "nullable" in body or "null" in body


@pytest.mark.parametrize(
    "body", [each for each in blocks("variable") if each.id.startswith(("bootstrap", "env", "modules/stack"))]
)
def test_variable_that_people_set_is_validated(body):
    assert "validation {" in body or re.search(r"type +=\s+bool", body)


@pytest.mark.parametrize("body", blocks("output"))
def test_output_is_described(body):
    assert "description" in body


def test_environments_take_the_same_variables_but_for_protection():
    environments = TERRAFORM / "environments"
    taken = {
        name: {name for _, name, _ in BLOCK.findall((environments / name / "variables.tf").read_text())}
        for name in ("dev", "prod")
    }
    assert taken["prod"] - taken["dev"] == {"protected"}
    assert taken["dev"] <= taken["prod"]


def test_checkov_finds_nothing():
    run_checkov(TERRAFORM, "terraform")


def test_exceptions_have_reasons():
    for path in TERRAFORM.rglob("*.tf"):
        for skip in re.findall(r"#checkov:skip=(.*)", path.read_text()):
            assert re.fullmatch(r"CKV2?_AWS_\d+:.{8,}", skip), f"{path}: {skip}"
