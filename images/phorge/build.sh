groupadd --gid 2000 phorge
useradd --uid 2000 --gid 2000 --home-dir /var/repo --no-create-home --shell /usr/sbin/nologin phorge
install -d -o phorge -g phorge -m 750 /var/files /var/repo
chmod 755 /srv/phorge/bin/*
# One configuration for each server, below /etc/phorge; nothing needs root.
rm -rf /etc/nginx/sites-enabled /etc/nginx/conf.d /etc/php/8.2/fpm/pool.d /var/www/html
