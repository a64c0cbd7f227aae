# The ids of the upstream image: volumes and securityContexts are written for them.
groupmod --gid 999 redis
usermod --uid 999 --gid 999 --home /data redis
install -d -o redis -g redis -m 755 /data
# The package's configuration is for a service of the machine; the image starts from defaults.
rm -rf /etc/redis /var/log/redis /var/lib/redis
