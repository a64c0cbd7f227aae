<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Prints a setting of an app. Exit 1 when there is none. */
return static function (Instance $instance, Input $input): ?int {
    $value = $instance->settings()->get($input->argument(0, 'app'), $input->argument(1, 'name')) ?? $input->option('default-value');
    if ($value === null) {
        return 1;
    }
    echo $value, "\n";
    return 0;
};
