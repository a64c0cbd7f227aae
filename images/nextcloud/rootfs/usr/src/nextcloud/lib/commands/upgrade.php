<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Version;

/** Brings the database to the version of the code. Killed in between it leaves maintenance mode on and
 * the old version in the configuration, as upstream does. STANDIN_UPGRADE_SECONDS (default 2) is
 * how long it takes. */
return static function (Instance $instance, Input $input): ?int {
    $config = $instance->config;
    if (!$config->needsUpgrade()) {
        echo "Nextcloud is already latest version\n";
        return 0;
    }
    $config->set(['maintenance' => true]);
    echo "Turned on maintenance mode\nUpdating database schema\n";
    usleep((int) ((float) (getenv('STANDIN_UPGRADE_SECONDS') ?: 2) * 1_000_000));
    $instance->database()->migrate();
    $config->set(['version' => Version::code(), 'maintenance' => false]);
    echo "Updated database\nTurned off maintenance mode\nUpdate successful\n";
    return 0;
};
