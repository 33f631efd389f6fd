"""What a month costs by size, from terraform/prices.json: `python tests/infrastructure/terraform/costs.py`."""

import json
from pathlib import Path

PRICES = json.loads((Path(__file__).parents[3] / "terraform" / "prices.json").read_text())
HOUR, MONTH = PRICES["per_hour"], PRICES["per_month"]

# What the service itself sends, the agent of each host, and what the alarms of an environment watch.
SERVICE_METRICS, HOST_METRICS, ALARMS = 8, 6, 11
FIREWALL_RULES = 4
# Log of the service and of the gateway, for each million requests.
LOG_GB_PER_MILLION = 1.2

TWO_HOSTS, FARGATE = ("t3.medium", 2, 30), (2, 2, 4)
SMALL, MIDDLE, DOUBLE = ("db.t4g.micro", 20, 1), ("db.t4g.small", 20, 1), ("db.t4g.small", 20, 2)
GUARDED = {"balancer": True, "nat": True}

SIZES = {
    "dev: one t3.small, VPC link": {"database": SMALL, "millions": 1, "hosts": ("t3.small", 1, 30)},
    "dev on Graviton: one t4g.small": {"database": SMALL, "millions": 1, "hosts": ("t4g.small", 1, 30)},
    "fleet of two t3.medium, Cloud Map": {"database": MIDDLE, "millions": 10, "hosts": TWO_HOSTS},
    "prod: fleet of two t3.medium, ALB, WAF, NAT, two databases": {
        "database": DOUBLE,
        "millions": 10,
        "hosts": TWO_HOSTS,
        **GUARDED,
    },
    "prod on Fargate: two tasks of 2 vCPU and 4 GB": {
        "database": DOUBLE,
        "millions": 10,
        "fargate": FARGATE,
        **GUARDED,
    },
}
COLUMNS = ("Compute", "Database", "Network, ALB, WAF", "Requests, logs, metrics")


def of_a_month(*, database, millions, hosts=None, fargate=None, balancer=False, nat=False):
    """Dollars a month, by column; without traffic out and what Container Insights counts."""
    hours = PRICES["hours_per_month"]
    addresses = host_count = 0
    compute = 0.0
    if hosts:
        kind, host_count, disk_gb = hosts
        compute = host_count * (HOUR[kind] * hours + disk_gb * MONTH["disk_gb"])
        addresses = 0 if nat else host_count
    if fargate:
        count, vcpu, gb = fargate
        compute = count * (vcpu * HOUR["fargate_vcpu"] + gb * HOUR["fargate_gb"]) * hours
        addresses = 0 if nat else count
    kind, storage_gb, instances = database
    storage = MONTH["database_gb_multi_az" if instances == 2 else "database_gb"]
    network = (addresses + nat) * HOUR["public_ipv4"] * hours + nat * HOUR["nat_gateway"] * hours
    per_million = PRICES["per_million"]["gateway_requests"] + LOG_GB_PER_MILLION * PRICES["per_gb"]["logs"]
    if balancer:
        network += (HOUR["load_balancer"] + HOUR["load_balancer_unit"]) * hours
        network += MONTH["web_acl"] + FIREWALL_RULES * MONTH["web_acl_rule"]
        per_million += PRICES["per_million"]["firewall_requests"]
    metrics = (SERVICE_METRICS + host_count * HOST_METRICS) * MONTH["metric"] + ALARMS * MONTH["alarm"]
    return compute, instances * HOUR[kind] * hours + storage_gb * storage, network, millions * per_million + metrics


def table():
    """The table of docs/infrastructure.md, as Markdown."""
    lines = [
        f"| Size | Requests a month | {' | '.join(COLUMNS)} | **Together** |",
        f"|---|---|{'---|' * len(COLUMNS)}---|",
    ]
    for name, size in SIZES.items():
        parts = of_a_month(**size)
        cells = " | ".join(f"{part:.0f}" for part in parts)
        lines.append(f"| {name} | {size['millions']} million | {cells} | **{sum(parts):.0f}** |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - what it is for
