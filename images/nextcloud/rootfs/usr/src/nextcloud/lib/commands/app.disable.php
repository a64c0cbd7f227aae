<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Disables an app. */
return static function (Instance $instance, Input $input): ?int {
    foreach ($input->arguments() as $app) {
        $instance->settings()->set($app, 'enabled', 'no');
        echo "$app disabled\n";
    }
    return 0;
};
