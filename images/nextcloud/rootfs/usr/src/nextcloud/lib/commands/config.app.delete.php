<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Removes a setting of an app. */
return static function (Instance $instance, Input $input): ?int {
    [$app, $name] = [$input->argument(0, 'app'), $input->argument(1, 'name')];
    $instance->settings()->delete($app, $name);
    echo "Config value $name of app $app deleted\n";
    return 0;
};
