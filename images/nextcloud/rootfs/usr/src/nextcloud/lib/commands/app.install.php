<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Installs and enables an app. The stand-in has none: it only notes the name. */
return static function (Instance $instance, Input $input): ?int {
    foreach ($input->arguments() as $app) {
        if (preg_match('/^[a-z][a-z0-9_]*$/', $app) !== 1) {
            throw new RuntimeException("Could not download app $app");
        }
        if ($instance->settings()->get($app, 'enabled') !== null) {
            echo "$app already installed\n";
            return 1;
        }
        $instance->settings()->set($app, 'enabled', 'yes');
        echo "$app installed\n";
    }
    return 0;
};
