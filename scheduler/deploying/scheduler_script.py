"""What the scheduler's own instance runs when it boots: installs Outfield and keeps it running as a service. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SERVICE = """\
[Unit]
Description=Outfield scheduler
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/opt/outfield/bin/outfield scheduler --host 0.0.0.0 --port {port} --data /var/lib/outfield
Environment=OUTFIELD_FARM__NAME={farm}
DynamicUser=yes
StateDirectory=outfield
Restart=on-failure
ProtectSystem=strict
ProtectHome=yes
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class SchedulerBoot:
    """`package` is what pip installs (a name, a file, an address), from `index` (empty: pip's own)."""

    farm: str
    package: str
    index: str = ""
    port: int = 8000


def scheduler_script(boot: SchedulerBoot) -> str:
    """The script; an image that has /opt/outfield already is left as it is."""
    service = SERVICE.format(port=boot.port, farm=boot.farm)
    return f"""\
#!/bin/sh
# Outfield: makes this machine the scheduler of a farm. Its data is in /var/lib/outfield, on this machine's disk.
set -eu
package={_quoted(boot.package)}
index={_quoted(boot.index)}
if ! [ -x /opt/outfield/bin/outfield ]; then
    command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq python3-venv
    python3 -m venv /opt/outfield
    /opt/outfield/bin/pip install --quiet --no-input --disable-pip-version-check \\
        ${{index:+--index-url "$index"}} "$package"
fi
cat >/etc/systemd/system/outfield-scheduler.service <<'END_OF_UNIT'
{service}END_OF_UNIT
systemctl daemon-reload
systemctl enable --now outfield-scheduler.service
"""


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
