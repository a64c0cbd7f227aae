groupadd --gid 1001 cool
useradd --uid 1001 --gid 1001 --home-dir /opt/cool --no-create-home --shell /usr/sbin/nologin cool
