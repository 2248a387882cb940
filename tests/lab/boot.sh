#!/bin/bash
# Boots this machine's own systemd as PID 1 of new namespaces over a throw-away overlay of /.
# Called by tests/lab/box.py, already in the control groups of the box: boot.sh WORKDIR
set -e
work=$1
mount -t tmpfs -o mode=755 box "$work/ns"
cd "$work/ns"
mkdir upper scratch root
mount -t overlay box -o lowerdir=/,upperdir=upper,workdir=scratch root
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 dev dev
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"; done
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s /proc/self/fd dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${stream%:*}" "dev/${stream#*:}"; done
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755 cgroup sys/fs/cgroup
for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
	mkdir "sys/fs/cgroup/$controller"
	mount -t cgroup -o "$controller" cgroup "sys/fs/cgroup/$controller"
done
mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
mount -t cgroup2 cgroup sys/fs/cgroup/unified
cp -a "$work/inject/." .
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id.new
mv etc/machine-id.new etc/machine-id
pivot_root . mnt
cd /
umount -l /mnt
mount --make-rshared / # else LoadCredential= finds nothing
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog --inh-caps=-all \
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=launchd-lab /lib/systemd/systemd --unit=basic.target
