<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Sets a setting of an app. As upstream it does not look at the value. */
return static function (Instance $instance, Input $input): ?int {
    [$app, $name] = [$input->argument(0, 'app'), $input->argument(1, 'name')];
    $value = $input->required('value');
    $instance->settings()->set($app, $name, $value);
    echo "Config value '$name' for app '$app' is now set to '$value'\n";
    return 0;
};
