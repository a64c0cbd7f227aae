<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Version;

/** Makes the tables that are missing; with --include-expensive it notes for which version it did so. */
return static function (Instance $instance, Input $input): ?int {
    $instance->database()->migrate();
    if ($input->has('include-expensive')) {
        $instance->settings()->set('core', 'repaired', Version::code());
    }
    return 0;
};
