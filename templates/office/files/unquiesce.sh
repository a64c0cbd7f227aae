#!/bin/sh
# Takes back what quiesce.sh did. It may be killed at any moment: the next run ends what it began.
set -eu
folder=/var/www/html/config
file=$folder/commonscloud_backup.config.php
rm -f "$file.new"
[ -e "$file" ] || exit 0
# guard: quiet-ends. What Nextcloud writes into its configuration meanwhile it writes with ours in it. The file
# goes last, so that a run that was killed is not taken for a finished one.
if ! grep -q 'Maintenance before it: on\.$' "$file"; then
    php -r '
        $fail = static function (string $why) use ($argv): never {
            fwrite(STDERR, "unquiesce: $argv[1] $why\n");
            exit(1);
        };
        // The lock of whoever writes it; it may have become another file while it was waited for.
        do {
            $config = @fopen($argv[1], "r+") ?: $fail("cannot be written");
            flock($config, LOCK_EX) || $fail("cannot be locked");
            clearstatcache();
            $now = @stat($argv[1]);
        } while ($now === false || $now["ino"] !== fstat($config)["ino"]);
        $CONFIG = [];
        ob_start();
        include $argv[1];
        ob_end_clean();
        if (empty($CONFIG["maintenance"])) {
            exit(0);
        }
        $CONFIG["maintenance"] = false;
        $text = "<?php\n\$CONFIG = " . var_export($CONFIG, true) . ";\n";
        // In one piece and not shorter than what was there: killed at any moment, the file is whole.
        $whole = str_pad($text, fstat($config)["size"], "\n");
        if (count($CONFIG) < 2 || fwrite($config, $whole) !== strlen($whole) || !fflush($config)) {
            $fail("cannot be read or written");
        }
        ftruncate($config, strlen($text));' -- "$folder/config.php"
fi
rm -f "$file"
sync
