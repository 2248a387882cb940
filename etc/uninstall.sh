#!/bin/sh
# Takes launchd off this machine. State (/var/lib/launchd) and configuration (/etc/launchd) stay: delete them by hand.
set -eu
[ "$(id -u)" -eq 0 ] || { echo "uninstall: run as root (sudo make uninstall)" >&2; exit 1; }
if [ -d /run/systemd/system ]; then
	systemctl disable --now launchd.service || true
fi
rm -f /etc/systemd/system/launchd.service /usr/local/bin/launchd
rm -rf /opt/launchd
[ ! -d /run/systemd/system ] || systemctl daemon-reload
