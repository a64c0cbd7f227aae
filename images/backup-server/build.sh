# sshd lets in nobody whom /etc/passwd does not know, and, without root, only whom it runs as.
groupadd --gid 65532 cloud
useradd --uid 65532 --gid 65532 --password '*' --home-dir /data --no-create-home --shell /usr/sbin/nologin cloud
install -d -o cloud -g cloud -m 750 /data
# Made by the package: keys that everybody knows.
rm -f /etc/ssh/ssh_host_*
