<?php
// The state of the instance for probes and clients. Like upstream it answers 200 while the instance
// is not installed, in maintenance, or waiting for its upgrade: the body says so.
declare(strict_types=1);

use StandIn\Answer;
use StandIn\Host;
use StandIn\Instance;
use StandIn\Version;

require __DIR__ . '/lib/bootstrap.php';

try {
    $instance = new Instance();
    $config = $instance->config;
    if ($config->installed() && !(new Host($config))->isTrusted()) {
        Answer::json(400, ['error' => 'Trusted domain error.', 'code' => 15]);
    }
    if ($config->installed()) {
        $instance->database()->value('SELECT 1');
        $instance->cache();
    }
    header('Access-Control-Allow-Origin: *');
    Answer::json(200, [
        'installed' => $config->installed(),
        'maintenance' => $config->maintenance(),
        'needsDbUpgrade' => $config->needsUpgrade(),
        'version' => Version::code(),
        'versionstring' => Version::name(),
        'edition' => '',
        'productname' => 'Nextcloud stand-in',
        'extendedSupport' => false,
    ]);
} catch (Throwable $error) {
    error_log((string) $error);
    Answer::text(500, 'Internal Server Error: database or cache cannot be reached');
}
