<?php
declare(strict_types=1);

namespace StandIn;

/** How commands print their results. */
final class Output
{
    /** A map: as JSON with --output=json, else a line for each. */
    public static function map(Input $input, array $values): void
    {
        if (str_starts_with((string) $input->option('output'), 'json')) {
            echo json_encode($values, JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
            return;
        }
        foreach ($values as $key => $value) {
            echo "  - $key: ", is_scalar($value) ? self::scalar($value) : json_encode($value), "\n";
        }
    }

    public static function scalar(mixed $value): string
    {
        return match (true) {
            is_bool($value) => $value ? 'true' : 'false',
            $value === null => 'null',
            is_array($value) => json_encode($value, JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR),
            default => (string) $value,
        };
    }
}
