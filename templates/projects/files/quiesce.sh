#!/bin/sh
# Keeps people from changing anything: at each request Phorge reads its configuration, of which what stands in the
# database goes before all files. Run twice it does what it does once.
set -eu
exec php -- <<'PHP'
<?php
// The last line is what the status shows: what was wrong, and not where.
set_exception_handler(function (Throwable $error): never {
    fwrite(STDERR, 'quiesce: '.preg_replace('/\s+/', ' ', $error->getMessage())."\n");
    exit(1);
});
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$secret = fn (string $key): string => trim(file_get_contents("/secrets/db/$key"));
$connect = function () use ($secret): mysqli {
    $server = mysqli_init();
    $server->options(MYSQLI_OPT_CONNECT_TIMEOUT, 10);
    @$server->real_connect(getenv('INSTANCE').'-db', $secret('username'), $secret('password'));
    return $server;
};

$server = null;
// Some networks refuse until the policy of a new pod is in force.
for ($end = time() + 30; $server === null; ) {
    try {
        $server = $connect();
    } catch (mysqli_sql_exception $error) {
        time() < $end || throw $error;
        sleep(1);
    }
}
// One that is on already is left as it is; that of a run before is this one's.
$server->query(
    "INSERT INTO phorge_config.config_entry (phid, namespace, configKey, value, isDeleted, dateCreated, dateModified)
     VALUES ('PHID-CONF-commonscloudbackup', 'default', 'cluster.read-only', 'true', 0, UNIX_TIMESTAMP(), UNIX_TIMESTAMP())
     ON DUPLICATE KEY UPDATE
         phid = IF(isDeleted = 0 AND value = 'true', phid, VALUES(phid)), value = 'true', isDeleted = 0");
$server->close();

// What began before ends in its own time. Connections of daemons stay, and sleep.
sleep(1);
$server = $connect();
$older = "SELECT COUNT(*), COALESCE(MAX(time), 0) FROM information_schema.processlist
    WHERE id < CONNECTION_ID() AND NOT (command = 'Sleep' AND time >= 3)";
for ($end = time() + 30; time() < $end; sleep(1)) {
    [$count, $seconds] = $server->query($older)->fetch_row();
    if ((int) $count === 0) {
        exit(0);
    }
}
// The Job tells it.
fwrite(STDERR, "quiesce: of before, $count connections still run, the oldest for $seconds s, and are not waited for\n");
PHP
