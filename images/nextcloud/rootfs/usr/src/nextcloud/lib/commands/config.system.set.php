<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Output;

/** Sets a system setting; --type is string, integer, double, boolean, json or null. */
return static function (Instance $instance, Input $input): ?int {
    $text = $input->option('type') === 'null' ? '' : $input->required('value');
    $value = match ($input->option('type', 'string')) {
        'string', 'str' => $text,
        'integer', 'int' => is_numeric($text) ? (int) $text : throw new RuntimeException('Non-numeric value specified'),
        'double', 'float' => is_numeric($text) ? (float) $text : throw new RuntimeException('Non-numeric value specified'),
        'boolean', 'bool' => match (strtolower($text)) {
            'true', '1' => true,
            'false', '0' => false,
            default => throw new RuntimeException('Unable to parse value as boolean'),
        },
        'json' => json_decode($text, true, flags: JSON_THROW_ON_ERROR),
        'null' => null,
        default => throw new RuntimeException('Invalid type'),
    };
    $path = $input->arguments();
    $input->argument(0, 'name');
    $instance->config->setPath($path, $value);
    echo 'System config value ', implode(' => ', $path), ' set to ', Output::scalar($value), "\n";
    return 0;
};
