<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** All settings of apps; passwords and secrets are left out. */
return static function (Instance $instance, Input $input): ?int {
    $apps = array_map(
        fn (array $settings): array => array_filter($settings, fn (string $key): bool => !str_contains($key, 'secret'), ARRAY_FILTER_USE_KEY),
        $instance->settings()->all(),
    );
    echo json_encode(['apps' => $apps], JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
    return 0;
};
