# The base root file system: Debian's smallest variant with its updates, without documentation,
# locales, package lists and devices. Environment: ROOT ARCHIVES SUITE MIRROR SOURCES http_proxy.

[ -n "$http_proxy" ] && export http_proxy || unset http_proxy
debootstrap --variant=minbase --cache-dir="$ARCHIVES" "$SUITE" "$ROOT" "$MIRROR" || {
    tail -n 20 "$ROOT/debootstrap/debootstrap.log"
    exit 1
}

printf '%s\n' "$SOURCES" >"$ROOT/etc/apt/sources.list"
cat >"$ROOT/etc/dpkg/dpkg.cfg.d/small" <<'END'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
END
cat >"$ROOT/etc/apt/apt.conf.d/small" <<'END'
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END

mount -t proc proc "$ROOT/proc"
mount --bind "$ARCHIVES" "$ROOT/var/cache/apt/archives"
chroot "$ROOT" apt-get -qq update
chroot "$ROOT" apt-get -qq --yes dist-upgrade
umount "$ROOT/proc" "$ROOT/var/cache/apt/archives"

cd "$ROOT"
find usr/share/doc -type f ! -name copyright -delete
find usr/share/doc -type d -empty -delete
rm -rf usr/share/info/* usr/share/lintian/* usr/share/locale/* usr/share/man/*
rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/*-old var/cache/ldconfig/* var/lib/dpkg/*-old
rm -rf var/log/* tmp/* run/* dev/* etc/resolv.conf etc/hostname
mkdir -p var/cache/apt/archives/partial var/log/apt run/lock
chmod 1777 run/lock
: >etc/machine-id
