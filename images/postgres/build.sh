# The ids of the upstream image: volumes and securityContexts are written for them.
groupmod --gid 999 postgres
usermod --uid 999 --gid 999 --home /var/lib/postgresql postgres
# The package made a cluster for a service of the machine; the image makes its own at first start.
rm -rf /var/lib/postgresql /etc/postgresql /var/log/postgresql
install -d -o postgres -g postgres -m 1777 /var/lib/postgresql /var/lib/postgresql/data
install -d -o postgres -g postgres -m 3777 /run/postgresql
install -d -m 755 /docker-entrypoint-initdb.d
# initdb copies this sample: listen on all addresses, as upstream.
sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample
grep -q "^listen_addresses = '\*'" /usr/share/postgresql/15/postgresql.conf.sample
# Compiling queries (JIT) is for large analyses; without LLVM the image is a fifth of the size.
dpkg --purge --force-depends libllvm14 libz3-4 >/dev/null 2>&1
rm -rf /usr/lib/postgresql/15/lib/llvmjit.so /usr/lib/postgresql/15/lib/bitcode
