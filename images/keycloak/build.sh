# The ids of the upstream image.
echo 'keycloak:x:1000:0:keycloak user:/opt/keycloak:/sbin/nologin' >>/etc/passwd
mkdir /opt/keycloak
# /tmp is no part of the image.
tar --extract --gzip --file /tmp/keycloak.tar.gz --directory /opt/keycloak --strip-components 1 --no-same-owner
mkdir -p /opt/keycloak/data
# What templates/keycloak says as well: a start with the same settings finds it built.
KC_DB=postgres KC_HEALTH_ENABLED=true KC_METRICS_ENABLED=true KC_CACHE=local /opt/keycloak/bin/kc.sh build
rm -rf /opt/keycloak/data/tmp
chown -R 1000:0 /opt/keycloak
chmod -R g+rwX /opt/keycloak
