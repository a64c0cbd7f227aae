<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Asks the editor what it can do; the stand-in opens no document with it. */
return static function (Instance $instance, Input $input): ?int {
    $url = $instance->settings()->get('richdocuments', 'wopi_url') ?? '';
    $context = stream_context_create(['http' => ['timeout' => 10]]);
    $discovery = @file_get_contents("$url/hosting/discovery", false, $context);
    if ($discovery === false || !str_contains($discovery, '<wopi-discovery')) {
        echo "Failed to fetch $url/hosting/discovery\n";
        return 1;
    }
    echo "Fetched $url/hosting/discovery\n";
    return 0;
};
