<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Output;
use StandIn\Version;

/** What state the instance is in; with -e the exit code tells as well. */
return static function (Instance $instance, Input $input): ?int {
    $config = $instance->config;
    Output::map($input, [
        'installed' => $config->installed(),
        'version' => Version::code(),
        'versionstring' => Version::name(),
        'edition' => '',
        'maintenance' => $config->maintenance(),
        'needsDbUpgrade' => $config->needsUpgrade(),
        'productname' => 'Nextcloud stand-in',
        'extendedSupport' => false,
    ]);
    if (!$input->has('e') && !$input->has('exit-code')) {
        return 0;
    }
    return $config->needsUpgrade() ? 2 : (int) $config->maintenance();
};
