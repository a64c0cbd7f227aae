#!/bin/sh
# Takes back what quiesce.sh did, and nothing that somebody else set.
set -eu
exec php -- <<'PHP'
<?php
// The last line is what the status shows: what was wrong, and not where.
set_exception_handler(function (Throwable $error): never {
    fwrite(STDERR, 'unquiesce: '.preg_replace('/\s+/', ' ', $error->getMessage())."\n");
    exit(1);
});
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$secret = fn (string $key): string => trim(file_get_contents("/secrets/db/$key"));
$server = mysqli_init();
$server->options(MYSQLI_OPT_CONNECT_TIMEOUT, 10);
$server->real_connect(getenv('INSTANCE').'-db', $secret('username'), $secret('password'));
// guard: quiet-ends
$server->query("DELETE FROM phorge_config.config_entry WHERE phid = 'PHID-CONF-commonscloudbackup'");
PHP
