<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** All indices are there. */
return static function (Instance $instance, Input $input): ?int {
    echo "Done.\n";
    return 0;
};
