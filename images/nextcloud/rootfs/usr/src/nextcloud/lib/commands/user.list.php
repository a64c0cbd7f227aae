<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Output;

/** All people. */
return static function (Instance $instance, Input $input): ?int {
    Output::map($input, $instance->users()->all());
    return 0;
};
