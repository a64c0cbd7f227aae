<?php
// Background work: notes when it ran last, and removes what interrupted uploads left.
declare(strict_types=1);

use StandIn\Instance;

require __DIR__ . '/lib/bootstrap.php';

const INTERRUPTED_AFTER_SECONDS = 24 * 3600;

$instance = new Instance();
$config = $instance->config;
if (!$config->installed()) {
    fwrite(STDERR, "Nextcloud is not installed\n");
    exit(1);
}
if (PHP_SAPI === 'cli' && fileowner($config->file()) !== posix_geteuid()) {
    fwrite(STDERR, "Console has to be executed with the user that owns the file config/config.php\n");
    exit(1);
}
if ($config->maintenance() || $config->needsUpgrade()) {
    exit(0);
}
foreach (glob($instance->dataFolder() . '/*/files/*.part') ?: [] as $part) {
    if (filemtime($part) < time() - INTERRUPTED_AFTER_SECONDS) {
        unlink($part);
    }
}
$instance->settings()->set('core', 'lastcron', (string) time());
