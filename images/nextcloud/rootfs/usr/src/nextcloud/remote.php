<?php
// Files over WebDAV: /remote.php/dav/files/USER/PATH and the older /remote.php/webdav/PATH.
declare(strict_types=1);

use StandIn\Answer;
use StandIn\Dav;
use StandIn\Host;
use StandIn\Instance;

require __DIR__ . '/lib/bootstrap.php';

try {
    $instance = new Instance();
    $config = $instance->config;
    if (!$config->installed()) {
        Answer::davError(503, 'Sabre\DAV\Exception\ServiceUnavailable', 'Not installed');
    }
    if (!(new Host($config))->isTrusted()) {
        Answer::davError(400, 'Sabre\DAV\Exception\BadRequest', 'Trusted domain error.');
    }
    if ($config->maintenance() || $config->needsUpgrade()) {
        header('Retry-After: 120');
        Answer::davError(503, 'Sabre\DAV\Exception\ServiceUnavailable', 'System is in maintenance mode.');
    }
    (new Dav($instance))->answer($_SERVER['REQUEST_METHOD'], rawurldecode($_SERVER['PATH_INFO'] ?? ''));
} catch (Throwable $error) {
    error_log((string) $error);
    Answer::davError(500, $error::class, 'Internal Server Error');
}
