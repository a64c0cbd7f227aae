# The ids of the upstream image: volumes and securityContexts are written for them.
groupadd --gid 999 mysql
useradd --uid 999 --gid 999 --home-dir /var/lib/mysql --no-create-home --shell /usr/sbin/nologin mysql
install -d -o mysql -g mysql -m 755 /var/lib/mysql
install -d -o mysql -g mysql -m 1777 /run/mysqld
install -d -m 755 /docker-entrypoint-initdb.d
# What is mounted at conf.d is read last, as upstream.
sed -i '/^!includedir/d' /etc/mysql/mariadb.cnf
printf '!includedir /etc/mysql/mariadb.conf.d/\n!includedir /etc/mysql/conf.d/\n' >>/etc/mysql/mariadb.cnf
rm -f /etc/mysql/mariadb.conf.d/60-galera.cnf
# Only old helpers of the client need Perl; without it the image is a third smaller.
dpkg --purge --force-depends perl perl-modules-5.36 libperl5.36 libconfig-inifiles-perl >/dev/null 2>&1
