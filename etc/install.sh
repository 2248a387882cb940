#!/bin/sh
# Installs launchd under systemd: program in /opt/launchd, user and group launchd, configuration in /etc/launchd.
# Run again to upgrade. Leaves an existing configuration alone.
set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "install: run as root (sudo make install)" >&2; exit 1; }
getent group launchd >/dev/null || groupadd --system launchd
getent passwd launchd >/dev/null || useradd --system --gid launchd --home-dir /var/lib/launchd --shell /usr/sbin/nologin launchd
[ -x /opt/launchd/bin/python ] || "$python" -m venv /opt/launchd
/opt/launchd/bin/python -m pip install --quiet --disable-pip-version-check --constraint etc/constraints.txt --upgrade .
install -d -m 0755 /etc/launchd
[ -e /etc/launchd/launchd.toml ] || install -m 0644 etc/launchd.toml /etc/launchd/launchd.toml
install -m 0644 launchd.service /etc/systemd/system/launchd.service
ln -sf /opt/launchd/bin/launchd /usr/local/bin/launchd
/opt/launchd/bin/launchd check
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl enable launchd.service
	echo "installed; start it with: systemctl start launchd"
else
	echo "installed; systemd is not running here, so the service was not enabled"
fi
