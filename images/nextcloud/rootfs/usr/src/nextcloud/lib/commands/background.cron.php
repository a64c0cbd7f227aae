<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Background work is done by cron.php. */
return static function (Instance $instance, Input $input): ?int {
    $instance->settings()->set('core', 'backgroundjobs_mode', 'cron');
    echo "Set mode for background jobs to 'cron'\n";
    return 0;
};
