"""`finbert keys`: create, list, revoke."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click

from finbert_api.api.container import container
from finbert_api.cli.application import application
from finbert_api.domain.caller import LONGEST_KEY_NAME, Role, Tier
from finbert_api.services.api_keys import ApiKeyService


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.CLIENT.value, show_default=True)
@click.option(
    "--tier", type=click.Choice([tier.value for tier in Tier]), default=Tier.STANDARD.value, show_default=True
)
def create(name: str, role: str, tier: str) -> None:
    """Create a key and print its secret, this once."""
    if not name.strip() or len(name) > LONGEST_KEY_NAME:
        raise click.ClickException(f"NAME must be 1 to {LONGEST_KEY_NAME} characters, not all of them blank")
    with _key_service() as service:
        key, secret = service.create(name, Role(role), Tier(tier))
    words = f"{key.name}, {key.role}, {key.tier}"
    click.echo(f"key {key.key_id} ({words}) created; its secret is shown only now:", err=True)
    click.echo(secret)


@keys.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    with _key_service() as service:
        for key in service.all():
            used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
            kind = f"{key.role:<6}  {key.tier:<8}"
            click.echo(f"{key.key_id}  {kind}  {key.created_at:%Y-%m-%d %H:%M}  {used:<21}  {state:<24}  {key.name}")


@keys.command()
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Revoke a key: every worker refuses it at once."""
    with _key_service() as service:
        service.revoke(key_id)
    click.echo(f"key {key_id} revoked", err=True)


@contextmanager
def _key_service() -> Iterator[ApiKeyService]:
    with application():
        yield container().api_keys
