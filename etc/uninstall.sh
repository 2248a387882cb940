#!/bin/sh
# Removes launchd from this machine. State (/var/lib/launchd), configuration (/etc/launchd), secrets (/etc/credstore), the
# user launchd, who owns the state, and the group launchd-operators stay: delete them by hand.
set -eu
[ "$(id -u)" -eq 0 ] || { echo "uninstall: run it as root: sudo make uninstall" >&2; exit 1; }
if [ -d /run/systemd/system ]; then
	systemctl stop launchd.socket launchd-tcp.socket launchd.service || true
fi
systemctl disable --quiet launchd.service launchd.socket launchd-tcp.socket || true
rm -f /etc/systemd/system/launchd.service /etc/systemd/system/launchd.socket /etc/systemd/system/launchd-tcp.socket /usr/local/bin/launchd
rm -f /etc/sysusers.d/launchd.conf /etc/tmpfiles.d/launchd.conf
rm -rf /opt/launchd /run/launchd /usr/local/share/doc/launchd
[ ! -d /run/systemd/system ] || systemctl daemon-reload
