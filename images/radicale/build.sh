# One id for the application and its volume, as the other images have.
if getent passwd radicale >/dev/null; then
    groupmod --gid 999 radicale
    usermod --uid 999 --gid 999 --home /var/lib/radicale --shell /usr/sbin/nologin radicale
else
    groupadd --gid 999 radicale
    useradd --uid 999 --gid 999 --home-dir /var/lib/radicale --no-create-home --shell /usr/sbin/nologin radicale
fi
install -d -o radicale -g radicale -m 750 /var/lib/radicale /var/lib/radicale/collections
