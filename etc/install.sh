#!/bin/sh
# Installs launchd under systemd: program in /opt/launchd, user and group launchd, configuration in /etc/launchd, pages in
# /usr/local/share/doc/launchd.
# Run again to upgrade. Leaves an existing configuration alone; a daemon that runs is restarted by you, when it suits.
set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
fail() { echo "install: $1" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "run as root (sudo make install)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed: make PYTHON=python3.12 install"
"$python" -c 'import ensurepip' 2>/dev/null || fail "$python has no venv module (on Debian: apt-get install python3-venv)"
command -v systemd-sysusers >/dev/null || fail "systemd is needed: without it, use make run"

[ -x /opt/launchd/bin/python ] || "$python" -m venv /opt/launchd
# every file that is fetched has its hash in etc/*.lock, so root runs nothing that was not looked at; the wheel is built in
# an environment of its own
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
"$python" -m venv "$build/venv"
fetch() { "$1" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$2"; }
fetch "$build/venv/bin/python" etc/build.lock
"$build/venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index --wheel-dir "$build" .
fetch /opt/launchd/bin/python etc/requirements.lock
/opt/launchd/bin/python -m pip uninstall --quiet --disable-pip-version-check --yes launchd launchd-tracker 2>/dev/null # its earlier name too
/opt/launchd/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index "$build"/*.whl
# the daemon may not read home directories, nor may its user: an interpreter from there would not start
interpreter=$(readlink -f /opt/launchd/bin/python)
case $interpreter in
/root/* | /home/*) echo "install: $interpreter lies in a home directory, which the service may not read: use a system Python" >&2 ;;
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
for page in README.md CHANGELOG.md LICENSE etc/docs/*.md etc/launchd.toml etc/prometheus/alerts.yml etc/grafana/launchd.json; do
	install -D -m 0644 "$page" "/usr/local/share/doc/launchd/$page"
done
# as the service's user: no code of a task runs as root
(cd / && setpriv --reuid=launchd --regid=launchd --clear-groups /opt/launchd/bin/launchd check)
systemctl enable --quiet launchd.service launchd.socket
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl is-active --quiet launchd.service || systemctl start launchd.socket
	echo "installed; start it with: systemctl start launchd (restart, when it runs already)"
	# the group of the data was that of the socket until 0.1
	members=$(getent group launchd | cut -d: -f4)
	[ -z "$members" ] || echo "members of the group launchd ($members) are operators no more: usermod -aG launchd-operators NAME"
else
	echo "installed and enabled; systemd is not running here"
fi
