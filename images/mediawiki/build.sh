# Around the package, not in it: a port that needs no root, one site, logs as the container's output.
echo 'Listen 8080' >/etc/apache2/ports.conf
# Who signs people in is loaded by the package that wants it.
a2dismod -q auth_openidc >/dev/null
a2dissite -q 000-default >/dev/null
a2ensite -q wiki >/dev/null
a2disconf -q serve-cgi-bin other-vhosts-access-log mediawiki >/dev/null
rm -rf /var/www/html
install -d -o www-data -g www-data -m 755 /run/apache2 /run/lock/apache2
install -d -m 755 /var/log/apache2
ln -sf /dev/stderr /var/log/apache2/error.log
