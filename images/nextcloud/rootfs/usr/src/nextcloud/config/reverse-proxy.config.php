<?php
// What stands before the application, as the environment says. Read again at each request.
$CONFIG = [];
foreach ([
    'OVERWRITEHOST' => 'overwritehost',
    'OVERWRITEPROTOCOL' => 'overwriteprotocol',
    'OVERWRITECLIURL' => 'overwrite.cli.url',
    'OVERWRITEWEBROOT' => 'overwritewebroot',
    'OVERWRITECONDADDR' => 'overwritecondaddr',
] as $variable => $key) {
    if (getenv($variable)) {
        $CONFIG[$key] = getenv($variable);
    }
}
if (getenv('TRUSTED_PROXIES')) {
    $CONFIG['trusted_proxies'] = array_values(array_filter(array_map('trim', explode(' ', getenv('TRUSTED_PROXIES')))));
}
if (getenv('FORWARDED_FOR_HEADERS')) {
    $CONFIG['forwarded_for_headers'] = array_values(array_filter(array_map('trim', explode(' ', getenv('FORWARDED_FOR_HEADERS')))));
}
