<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Turns maintenance mode on or off, or tells which. */
return static function (Instance $instance, Input $input): ?int {
    $config = $instance->config;
    if ($input->has('on') || $input->has('off')) {
        $wanted = $input->has('on');
        if ($config->maintenance() === $wanted) {
            echo 'Maintenance mode already ', $wanted ? 'enabled' : 'disabled', "\n";
            return 0;
        }
        $config->set(['maintenance' => $wanted]);
    }
    echo 'Maintenance mode ', $config->maintenance() ? 'enabled' : 'disabled', "\n";
    return 0;
};
