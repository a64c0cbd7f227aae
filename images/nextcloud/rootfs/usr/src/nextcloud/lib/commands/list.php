<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** The names of all commands. */
return static function (Instance $instance, Input $input): ?int {
    foreach (glob(__DIR__ . '/*.php') ?: [] as $file) {
        echo str_replace('.', ':', basename($file, '.php')), "\n";
    }
    return 0;
};
