"""`finbert keys`: create, list, revoke."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click

from finbert_api.api.container import container
from finbert_api.cli.application import application
from finbert_api.domain.caller import Role
from finbert_api.services.api_keys import ApiKeyService


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.CLIENT.value, show_default=True)
def create(name: str, role: str) -> None:
    """Create a key and print its secret, this once."""
    with _key_service() as service:
        key, secret = service.create(name, Role(role))
    click.echo(f"key {key.key_id} ({key.name}, {key.role}) created; its secret is shown only now:", err=True)
    click.echo(secret)


@keys.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    with _key_service() as service:
        for key in service.all():
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
            click.echo(f"{key.key_id}  {key.role:<6}  {key.created_at:%Y-%m-%d %H:%M}  {state:<24}  {key.name}")


@keys.command()
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Revoke a key: within five seconds every worker refuses it."""
    with _key_service() as service:
        if not service.revoke(key_id):
            raise click.ClickException(f"no active key {key_id} (the bootstrap key ends with the setting API_KEY)")
    click.echo(f"key {key_id} revoked", err=True)


@contextmanager
def _key_service() -> Iterator[ApiKeyService]:
    with application():
        yield container().api_keys
