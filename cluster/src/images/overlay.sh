# Installs packages, files and what a script makes over the base. Environment: BASE UPPER WORK ROOT
# ARCHIVES LISTS STAGE SCRIPT PACKAGES http_proxy.

[ -n "$http_proxy" ] && export http_proxy || unset http_proxy
# Without redirects and metadata copies every change is a whole file in the upper folder.
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$UPPER,workdir=$WORK,redirect_dir=off,metacopy=off,index=off" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
for device in full:7 null:3 random:8 tty:0 urandom:9 zero:5; do
    major=1
    [ "${device%:*}" = tty ] && major=5
    mknod -m 666 "$ROOT/dev/${device%:*}" c "$major" "${device#*:}"
done
ln -s /proc/self/fd "$ROOT/dev/fd"
mkdir -m 1777 "$ROOT/dev/shm"

if [ -n "$PACKAGES" ]; then
    cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
    chmod 755 "$ROOT/usr/sbin/policy-rc.d"
    mkdir -p "$ARCHIVES/partial" "$LISTS/partial"
    mount --bind "$ARCHIVES" "$ROOT/var/cache/apt/archives"
    mount --bind "$LISTS" "$ROOT/var/lib/apt/lists"
    chroot "$ROOT" apt-get -qq update
    chroot "$ROOT" apt-get -qq --yes install $PACKAGES
    umount "$ROOT/var/cache/apt/archives" "$ROOT/var/lib/apt/lists"
    rm "$ROOT/usr/sbin/policy-rc.d" "$ROOT/etc/resolv.conf"
fi

cp -a "$STAGE/." "$ROOT/"
if [ -n "$SCRIPT" ]; then
    cp "$SCRIPT" "$ROOT/tmp/script"
    chroot "$ROOT" sh -eu /tmp/script
fi

umount "$ROOT/tmp" "$ROOT/dev" "$ROOT/proc"
cd "$ROOT"
find var/log -type f -delete
rm -rf run/adduser var/cache/debconf/*-old var/cache/ldconfig/* var/cache/apt/*.bin var/lib/dpkg/*-old var/lib/systemd
