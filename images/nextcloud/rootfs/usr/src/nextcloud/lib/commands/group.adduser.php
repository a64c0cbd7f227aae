<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Puts a person into a group. */
return static function (Instance $instance, Input $input): ?int {
    $instance->users()->addToGroup($input->argument(1, 'user'), $input->argument(0, 'group'));
    return 0;
};
