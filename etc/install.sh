#!/bin/sh
# Installs launchd under systemd: the program into /opt/launchd, the configuration into /etc/launchd, the pages into
# /usr/local/share/doc/launchd. Creates the user and the group launchd.
# Run it again to upgrade. It keeps an existing configuration, and does not restart a running daemon.
set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
fail() { echo "install: $1" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo make install"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed: make PYTHON=python3.12 install"
"$python" -c 'import ensurepip' 2>/dev/null || fail "$python has no venv module (on Debian: apt-get install python3-venv)"
command -v systemd-sysusers >/dev/null || fail "systemd is needed: without it, use make run"

[ -x /opt/launchd/bin/python ] || "$python" -m venv /opt/launchd
# each fetched file is checked against its hash in etc/*.lock, so root runs only reviewed code; the wheel is built in its own
# environment
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
"$python" -m venv "$build/venv"
fetch() { "$1" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$2"; }
fetch "$build/venv/bin/python" etc/build.lock
"$build/venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index --wheel-dir "$build" .
fetch /opt/launchd/bin/python etc/requirements.lock
/opt/launchd/bin/python -m pip uninstall --quiet --disable-pip-version-check --yes launchd launchd-tracker 2>/dev/null # an earlier version was named launchd
/opt/launchd/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index "$build"/*.whl
# the service cannot read home directories, so an interpreter from there would not start
interpreter=$(readlink -f /opt/launchd/bin/python)
case $interpreter in
/root/* | /home/*) echo "install: $interpreter is in a home directory, which the service cannot read: run make install PYTHON=/usr/bin/python3" >&2 ;;
esac

install -D -m 0644 etc/systemd/launchd.sysusers /etc/sysusers.d/launchd.conf
install -D -m 0644 etc/systemd/launchd.tmpfiles /etc/tmpfiles.d/launchd.conf
systemd-sysusers launchd.conf
systemd-tmpfiles --create launchd.conf
[ -e /etc/launchd/launchd.toml ] || install -m 0644 etc/launchd.toml /etc/launchd/launchd.toml
install -D -m 0644 launchd.service /etc/systemd/system/launchd.service
install -D -m 0644 etc/systemd/launchd.socket /etc/systemd/system/launchd.socket
install -D -m 0644 etc/systemd/launchd-tcp.socket /etc/systemd/system/launchd-tcp.socket
ln -sf /opt/launchd/bin/launchd /usr/local/bin/launchd
for page in README.md CHANGELOG.md LICENSE etc/docs/*.md etc/docs/pictures/*.png etc/launchd.toml etc/prometheus/alerts.yml etc/grafana/launchd.json; do
	install -D -m 0644 "$page" "/usr/local/share/doc/launchd/$page"
done
# as the service's user, so that the code of a task never runs as root
(cd / && setpriv --reuid=launchd --regid=launchd --clear-groups /opt/launchd/bin/launchd check)
systemctl enable --quiet launchd.service launchd.socket
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl is-active --quiet launchd.service || systemctl start launchd.socket
	echo "installed; start it with: systemctl start launchd (restart, if it runs already)"
	# before 0.1 one group had both the data and the socket
	members=$(getent group launchd | cut -d: -f4)
	[ -z "$members" ] || echo "members of the group launchd ($members) are no longer operators: run usermod -aG launchd-operators NAME for each"
else
	echo "installed and enabled; systemd is not running here, so nothing was started"
fi
