<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Output;

/** The apps that are enabled and disabled. */
return static function (Instance $instance, Input $input): ?int {
    $apps = ['enabled' => [], 'disabled' => []];
    foreach ($instance->settings()->all() as $app => $settings) {
        if (isset($settings['enabled'])) {
            $apps[$settings['enabled'] === 'yes' ? 'enabled' : 'disabled'][$app] = '1.0.0';
        }
    }
    Output::map($input, $apps);
    return 0;
};
