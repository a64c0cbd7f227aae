<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Whether the server can run the application. */
return static function (Instance $instance, Input $input): ?int {
    return 0;
};
