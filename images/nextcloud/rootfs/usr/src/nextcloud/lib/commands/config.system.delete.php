<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Removes a system setting. */
return static function (Instance $instance, Input $input): ?int {
    $input->argument(0, 'name');
    $instance->config->deletePath($input->arguments());
    echo 'System config value ', implode(' => ', $input->arguments()), " deleted\n";
    return 0;
};
