#!/bin/sh
# Keeps people from changing anything: at each request Nextcloud reads every *.config.php beside its own
# configuration. Run twice it does what it does once.
set -eu
folder=/var/www/html/config
file=$folder/commonscloud_backup.config.php
fail() { echo "quiesce: $*" >&2; exit 1; }

[ -s "$folder/config.php" ] || fail "the office is not installed: there is no $folder/config.php"
if [ ! -s "$file" ]; then
    # Whether it was in maintenance before, which then is not this one's to end.
    before=$(php -r '$CONFIG = []; $lock = fopen($argv[1], "r"); flock($lock, LOCK_SH); ob_start(); include $argv[1]; ob_end_clean();
        echo count($CONFIG) < 2 ? "it is empty" : (empty($CONFIG["maintenance"]) ? "off" : "on");' -- "$folder/config.php")
    case $before in on | off) ;; *) fail "$folder/config.php cannot be read: $before" ;; esac
    umask 0027
    printf '<?php\n// A backup made this, and takes it away again. Maintenance before it: %s.\n$CONFIG = ["maintenance" => true];\n' "$before" >"$file.new"
    mv "$file.new" "$file"
    sync
fi

# What began before ends in its own time: each request, and each run of cron, has a connection of its own.
sleep 1
php -r '
    set_exception_handler(static function (Throwable $error): never {
        fwrite(STDERR, "quiesce: " . preg_replace("/\s+/", " ", $error->getMessage()) . "\n");
        exit(1);
    });
    $secret = static fn (string $key): string => trim(file_get_contents("/secrets/db/$key"));
    $place = "pgsql:host=" . getenv("INSTANCE") . "-db;dbname=" . $secret("username") . ";connect_timeout=10";
    $database = null;
    // Some networks refuse until the policy of a new pod is in force.
    for ($end = time() + 30; $database === null; ) {
        try {
            $database = new PDO($place, $secret("username"), $secret("password"), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
        } catch (PDOException $error) {
            time() < $end || throw $error;
            sleep(1);
        }
    }
    $now = $database->query("SELECT clock_timestamp()")->fetchColumn();
    $older = $database->prepare("SELECT count(*), coalesce(floor(extract(epoch FROM max(clock_timestamp() - backend_start))), 0)
        FROM pg_stat_activity
        WHERE usename = current_user AND backend_type = ? AND pid <> pg_backend_pid() AND backend_start < ?::timestamptz");
    for ($end = time() + 30; time() < $end; sleep(1)) {
        $older->execute(["client backend", $now]);
        [$count, $seconds] = $older->fetch(PDO::FETCH_NUM);
        if ((int) $count === 0) {
            exit(0);
        }
    }
    // The Job tells it.
    fwrite(STDERR, "quiesce: of before, $count connections still run, the oldest for $seconds s, and are not waited for\n");'
