# The layout of the upstream image: PHP below /usr/local, Apache for any uid, hooks, /var/www/html.
ln -s /usr/bin/php /usr/local/bin/php
a2enmod -q headers remoteip rewrite >/dev/null
a2enconf -q apache-limits nextcloud remoteip >/dev/null
a2disconf -q serve-cgi-bin other-vhosts-access-log >/dev/null
rm -rf /var/www/html
for folder in /var/www/html /var/www/data; do
    install -d -o www-data -g root -m 775 "$folder"
done
# Any uid may be given: Apache's own folders are everybody's, its logs are the container's output.
install -d -m 1777 /run/apache2 /run/lock/apache2 /var/log/apache2
ln -sf /dev/stderr /var/log/apache2/error.log
ln -sf /dev/stdout /var/log/apache2/access.log
for hook in pre-installation post-installation pre-upgrade post-upgrade before-starting; do
    install -d "/docker-entrypoint-hooks.d/$hook"
done
echo '*/5 * * * * php -f /var/www/html/cron.php' >/tmp/www-data
install -D -m 600 /tmp/www-data /var/spool/cron/crontabs/www-data
chmod 755 /usr/src/nextcloud/occ
