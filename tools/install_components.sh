#!/usr/bin/env bash
# Installs with apt what some tests need and a bare machine lacks. As root, on Debian or Ubuntu; may be run again.
set -euo pipefail

packages=(blender xvfb xauth chromium chromium-driver povray postgresql gcc libc6-dev util-linux iproute2 python3-numpy
    slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge shellcheck systemd
    libegl1 libgl1 libxkbcommon0 libfontconfig1 libglib2.0-0)
lock_wait_s=300

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make components installs packages with apt, so it needs root on Debian or Ubuntu." >&2
    echo "Elsewhere install these with your own package manager: ${packages[*]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing+=("$package")
done
if [ "${#missing[@]}" = 0 ]; then
    echo "components are installed already: ${packages[*]}"
    exit 0
fi

# DPkg::Lock::Timeout covers the lock of dpkg, not the one of the package lists: another apt-get update in the
# background (unattended-upgrades) would end ours at once.
deadline=$((SECONDS + lock_wait_s))
until apt-get update -qq; do
    if [ "$SECONDS" -ge "$deadline" ]; then
        echo "apt-get update did not succeed within ${lock_wait_s} s; its own message stands above." >&2
        exit 1
    fi
    sleep 5
done

export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends -o "DPkg::Lock::Timeout=${lock_wait_s}" "${missing[@]}" >/dev/null
echo "installed: ${missing[*]}"
