"""Packages with the names, files and units of AWS's agents, doing what can be seen of them: Debian has none."""

import subprocess
from pathlib import Path

ECS_AGENT = """\
#!/usr/bin/python3
# Answers the introspection request of the ECS agent with what its configuration says.
import http.server, json, os

class Introspection(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"Cluster": os.environ.get("ECS_CLUSTER", "default")}).encode())

http.server.HTTPServer(("127.0.0.1", 51678), Introspection).serve_forever()
"""
ECS_UNIT = """\
[Unit]
Requires=docker.service
After=docker.service
[Service]
EnvironmentFile=-/etc/ecs/ecs.config
ExecStart=/usr/libexec/amazon-ecs-init
[Install]
WantedBy=multi-user.target
"""
TRANSLATOR = """\
#!/usr/bin/python3
# Refuses what the CloudWatch agent's translator refuses: no JSON, no metrics, an interval that is no number.
import argparse, json, pathlib

parser = argparse.ArgumentParser()
for option in ("mode", "input", "input-dir", "output"):
    parser.add_argument("--" + option, required=True)
arguments = parser.parse_args()
config = json.loads(pathlib.Path(arguments.input).read_text())
assert config["metrics"]["metrics_collected"] and config["metrics"]["namespace"]
assert isinstance(config["agent"]["metrics_collection_interval"], int)
pathlib.Path(arguments.output).write_text("interval = %d\\n" % config["agent"]["metrics_collection_interval"])
"""
CLOUDWATCH_START = """\
#!/bin/sh
set -e
cd /opt/aws/amazon-cloudwatch-agent
config=etc/amazon-cloudwatch-agent
bin/config-translator --mode ec2 --input $config.json --input-dir $config.d --output $config.toml
exec sleep infinity
"""
CLOUDWATCH_UNIT = """\
[Service]
ExecStart=/opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent
[Install]
WantedBy=multi-user.target
"""
AGENTS = {
    "amazon-ecs-init": {
        "usr/libexec/amazon-ecs-init": ECS_AGENT,
        "usr/lib/systemd/system/ecs.service": ECS_UNIT,
    },
    "amazon-cloudwatch-agent": {
        "opt/aws/amazon-cloudwatch-agent/bin/config-translator": TRANSLATOR,
        "opt/aws/amazon-cloudwatch-agent/bin/start-amazon-cloudwatch-agent": CLOUDWATCH_START,
        "opt/aws/amazon-cloudwatch-agent/etc/common-config.toml": "",
        "usr/lib/systemd/system/amazon-cloudwatch-agent.service": CLOUDWATCH_UNIT,
    },
}


def build_deb(name: str, files: dict[str, str], folder: Path) -> Path:
    """A .deb with these files; those that begin with #! are executable."""
    root = folder / name
    fields = {
        "Version": "1.0",
        "Architecture": "all",
        "Maintainer": "tests <tests@localhost>",
        "Description": "stand-in",
    }
    control = "".join(f"{field}: {value}\n" for field, value in {"Package": name, **fields}.items())
    for path, content in {"DEBIAN/control": control, **files}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755 if content.startswith("#!") else 0o644)
    deb = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, deb], check=True, capture_output=True)
    return deb
