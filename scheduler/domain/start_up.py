"""The script that turns a new instance into a worker, as text. Pure; backends hand it to their provider as it is.

It is POSIX shell for any Linux image. What a backend can only know on the machine itself it exports before the script:
OUTFIELD_INSTANCE, the provider's id, and any OUTFIELD_WORKER__… but the address, the code and the pool; those win over
what the script says. OUTFIELD_KEEP_ON keeps it from ever turning the machine off, OUTFIELD_RUN_AS names the user that
the agent runs as on a machine of the farm's own (empty: whoever runs the script).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SCRIPT_MAX_BYTES = 12 * 1024
"""EC2 takes 16 KiB of user data with whatever a backend puts around the script."""

TEXT_MAX = 2000
CA_MAX = 6000


@dataclass(frozen=True, slots=True)
class Boot:
    """What the script needs to know. `join` is valid once for each instance of the intent. `cloud` is whose metadata
    service the agent watches; `power_off`: the machine is the farm's alone and is turned off with the agent.

    The agent comes with the image; else `install`, a shell command, brings it, or `package` (what pip is to install: a
    name, a file or an address) from `index` (empty: pip's own). `ca_pin` is the farm authority's, `ca_pem` are further
    certificates to trust, `slots` tasks that run side by side (0: as the agent has it). `idle_s` and `unreachable_s`
    are the dead-man timer's, 0: for ever; the farm itself ends idle machines sooner.
    """

    server: str
    join: str
    pool: str
    intent: str
    life_s: float
    install: str = ""
    cloud: str = "none"
    power_off: bool = False
    package: str = ""
    index: str = ""
    ca_pin: str = ""
    ca_pem: str = ""
    slots: int = 0
    tags: tuple[str, ...] = ()
    wipe_after_s: float = 45.0
    idle_s: float = 1800.0
    unreachable_s: float = 900.0


class ScriptTooLong(ValueError):
    """What the script should say does not fit into an instance's user data."""


def start_up_script(boot: Boot) -> str:
    """The script.

    Raises:
        ScriptTooLong: a value, or all of it together, is longer than providers take.
    """
    values = {
        "server": boot.server,
        "join": boot.join,
        "pool": boot.pool,
        "intent": boot.intent,
        "cloud": boot.cloud,
        "life_s": f"{boot.life_s:.0f}",
        "slots": str(boot.slots or ""),
        "tags": ",".join(boot.tags),
        "package": boot.package,
        "index": boot.index,
        "ca_pin": boot.ca_pin,
        "ca_pem": boot.ca_pem,
    }
    for name, value in values.items():
        if len(value) > (CA_MAX if name == "ca_pem" else TEXT_MAX) or "\0" in value:
            raise ScriptTooLong(f"{name} is too long for a start-up script, or holds what a shell cannot. Shorten it.")
    said = "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())
    own = _OWN_MACHINE.format(**_limits(boot)) if boot.power_off else _LENT_MACHINE
    script = _HEAD + said + own + _WORKER + (boot.install + "\n" if boot.install else "") + _RUN
    if len(script.encode()) > SCRIPT_MAX_BYTES:
        raise ScriptTooLong(
            f"The start-up script has {len(script.encode())} bytes; providers take {SCRIPT_MAX_BYTES}. "
            "Bake into an image what it should install."
        )
    return script


def _quoted(value: str) -> str:
    """One word to any shell, whatever is in it."""
    return "'" + value.replace("'", "'\\''") + "'"


def _limits(boot: Boot) -> dict[str, str]:
    return {
        "minutes": str(max(1, math.ceil(boot.life_s / 60))),
        "life_s": f"{boot.life_s:.0f}",
        "idle_s": f"{boot.idle_s:.0f}",
        "unreachable_s": f"{boot.unreachable_s:.0f}",
        "wipe_after_s": f"{boot.wipe_after_s:g}",
    }


_HEAD = """\
#!/bin/sh
# Outfield: makes this machine a worker of the farm for a limited time. Written by the farm for one launch.
set -u
"""

_OWN_MACHINE = """\

# --- A machine of the farm's own: it ends with the agent, and at its time whatever has become of the agent.
turn_off() {{ [ -n "${{OUTFIELD_KEEP_ON:-}}" ] || shutdown -P now || poweroff -f; }}
[ -n "${{OUTFIELD_KEEP_ON:-}}" ] || shutdown -P +{minutes} || {{ (sleep {life_s}; poweroff -f) & }}
data=${{OUTFIELD_WORKER__DATA:-/var/lib/outfield/worker}} cache=${{OUTFIELD_WORKER__CACHE:-/var/lib/outfield/cache}}
leave() {{
    trap - EXIT
    rm -rf -- "$data" "$cache"
    turn_off
}}
trap leave EXIT
user=${{OUTFIELD_RUN_AS-outfield}} run=
prepare() {{
    mkdir -p "$data" "$cache"
    export OUTFIELD_WORKER__DATA="$data" OUTFIELD_WORKER__CACHE="$cache"
    given WIPE_AFTER_S {wipe_after_s}
    [ -n "$user" ] && [ "$(id -u)" = 0 ] || return 0
    id "$user" >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin "$user"
    chown "$user" "$data" "$cache"
    export HOME="$data"
    run="setpriv --reuid=$user --regid=$(id -g "$user") --init-groups --no-new-privs --"
}}
# A process of its own, which ends the machine when its worker is dead, idle or cut off. It runs until it has.
guard() {{
    late_s=$(cut -d. -f1 /proc/uptime)
    [ "$late_s" -ge 600 ] || late_s=0  # its first boot: the limits count from the machine's start, else from now
    case $cloud in gce | aws) given LIFE_S "$((late_s + life_s))" ;; esac
    [ -z "${{OUTFIELD_KEEP_ON:-}}" ] || return 0
    (
        trap - EXIT
        until outfield-dead-man --data "$data" --life-s "$((late_s + {life_s}))" --start-s "$((late_s + 900))" \\
            --idle-s {idle_s} --unreachable-s {unreachable_s} -- shutdown -P now; do sleep 10; done
    ) </dev/null &
}}
"""

_LENT_MACHINE = """\

# --- A machine that belongs to somebody else: whoever started this script ends it, and removes what it leaves.
leave() { trap - EXIT; }
run=
prepare() { :; }
guard() { :; }
"""

_WORKER = """\

# --- What the worker is told. Whoever started this script may have said otherwise already.
given() { eval "[ -n \\"\\${OUTFIELD_WORKER__$1:-}\\" ]" || export "OUTFIELD_WORKER__$1=$2"; }
ask() { curl -fsS --noproxy '*' --max-time 2 --retry 2 --retry-connrefused "$@"; }
who_am_i() {
    case $cloud in
    gce)
        base=${OUTFIELD_WORKER__METADATA_URL:-http://metadata.google.internal}/computeMetadata/v1/instance
        zone=$(ask -H 'Metadata-Flavor: Google' "$base/zone") || return 0
        name=$(ask -H 'Metadata-Flavor: Google' "$base/name") || return 0
        OUTFIELD_INSTANCE=${zone##*/}/$name ;;
    aws)
        base=${OUTFIELD_WORKER__METADATA_URL:-http://169.254.169.254}/latest
        token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$base/api/token") || return 0
        OUTFIELD_INSTANCE=$(ask -H "X-aws-ec2-metadata-token: $token" "$base/meta-data/instance-id") || return 0 ;;
    esac
}
[ -n "${OUTFIELD_INSTANCE:-}" ] || who_am_i
if [ -n "${OUTFIELD_INSTANCE:-}" ]; then
    given INSTANCE "$OUTFIELD_INSTANCE"
    given NAME "${OUTFIELD_INSTANCE##*/}"
fi
export OUTFIELD_WORKER__SERVER="$server" OUTFIELD_WORKER__POOL="$pool"
given INTENT "$intent"
given CLOUD "$cloud"
[ -z "$slots" ] || given SLOTS "$slots"
[ -z "$tags" ] || given TAGS "$tags"
[ -z "$ca_pin" ] || given CA_PIN "$ca_pin"

# --- The agent: of the image, or installed now.
PATH=/opt/outfield/bin:${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export PATH
umask 022
"""

_RUN = """\
if [ -n "$package" ] && ! command -v outfield >/dev/null 2>&1; then
    python3 -m venv /opt/outfield && timeout 900 /opt/outfield/bin/pip install --quiet --no-input \\
        --disable-pip-version-check ${index:+--index-url "$index"} "$package"
fi
if ! command -v outfield >/dev/null 2>&1; then
    echo "outfield: this machine has no agent, and none could be installed" >&2
    exit 1
fi
if [ -n "$ca_pem" ]; then
    certificates=$(mktemp) && chmod 644 "$certificates" && printf '%s\\n' "$ca_pem" >"$certificates"
    given CA_FILE "$certificates"
fi
umask 077
prepare
guard
given LIFE_S "$life_s"

# --- Work. Signals go to every process of a machine or a job, so the agent has them itself; this waits for its end.
trap : TERM INT HUP USR1
tries=3
while [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    # shellcheck disable=SC2086  # $run is words, or nothing
    printf '%s\\n' "$join" | $run outfield worker --join -
    ended=$?
    case $ended in 0 | 4) break ;; esac  # an orderly end; not let in
    sleep 5
done
leave
exit "$ended"
"""
