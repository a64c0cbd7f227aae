<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** There is nothing to write: the rules stand in Apache's configuration. */
return static function (Instance $instance, Input $input): ?int {
    echo ".htaccess has been updated\n";
    return 0;
};
