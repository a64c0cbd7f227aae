<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Adds a group. */
return static function (Instance $instance, Input $input): ?int {
    $group = $input->argument(0, 'groupid');
    $instance->database()->run('INSERT INTO oc_groups (gid, displayname) VALUES (?, ?) ON CONFLICT DO NOTHING', [$group, $group]);
    echo "Created group \"$group\"\n";
    return 0;
};
