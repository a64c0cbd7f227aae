# The layout of the upstream image: runit, nginx for everybody, the application for uid 1000.
groupadd --gid 1000 discourse
useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash discourse
home=/var/www/discourse
rm -rf /var/www/html /etc/nginx/sites-enabled /etc/nginx/conf.d
install -d -m 755 /shared
# Debian has a link there to where runit runs elsewhere.
rm -rf /etc/service
install -d /etc/service
mv /etc/sv/discourse-nginx /etc/service/nginx
mv /etc/sv/discourse-unicorn /etc/service/unicorn
# The state lies on the volume; /etc/runit/1.d/00-ensure-links makes what these point to.
install -d -o discourse -g www-data "$home/tmp" "$home/log" "$home/public" "$home/public/assets"
for log in production production_errors unicorn.stdout unicorn.stderr sidekiq; do
    ln -s "/shared/log/rails/$log.log" "$home/log/$log.log"
done
for folder in uploads backups; do
    ln -s "/shared/$folder" "$home/public/$folder"
done
ln -s /shared/tmp/backups /shared/tmp/restores "$home/tmp"
chown -R discourse "$home"
chmod 755 "$home"/bin/* "$home/config/unicorn_launcher"
# Nothing here is written in Perl but wrappers around the client's programs.
mv /usr/lib/postgresql/15/bin/pg_dump /usr/lib/postgresql/15/bin/psql /usr/local/bin/
dpkg --purge --force-depends postgresql-client-common perl perl-modules-5.36 libperl5.36 >/dev/null 2>&1
rm -f /usr/bin/psql /usr/bin/pg_dump
