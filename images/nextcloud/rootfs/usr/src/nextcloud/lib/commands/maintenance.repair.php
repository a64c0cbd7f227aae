<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Makes the tables that are missing. */
return static function (Instance $instance, Input $input): ?int {
    $instance->database()->migrate();
    return 0;
};
