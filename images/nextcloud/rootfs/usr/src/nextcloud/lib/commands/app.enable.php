<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Enables an app. The stand-in has none: it only notes the name. */
return static function (Instance $instance, Input $input): ?int {
    foreach ($input->arguments() as $app) {
        if (preg_match('/^[a-z][a-z0-9_]*$/', $app) !== 1) {
            throw new RuntimeException("Could not download app $app");
        }
        $instance->settings()->set($app, 'enabled', 'yes');
        echo "$app enabled\n";
    }
    return 0;
};
