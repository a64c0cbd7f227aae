<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Output;

/** Prints a system setting, its keys below one another as arguments. Exit 1 when there is none. */
return static function (Instance $instance, Input $input): ?int {
    $value = $instance->config->getPath($input->arguments()) ?? $input->option('default-value');
    if ($value === null) {
        return 1;
    }
    if (str_starts_with((string) $input->option('output'), 'json')) {
        echo json_encode($value, JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
    } else {
        foreach (is_array($value) ? $value : [$value] as $line) {
            echo Output::scalar($line), "\n";
        }
    }
    return 0;
};
