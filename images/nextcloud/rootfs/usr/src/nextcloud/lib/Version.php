<?php
declare(strict_types=1);

namespace StandIn;

/** The version of the code on the volume. */
final class Version
{
    /** Four numbers, such as 34.0.1.2. */
    public static function code(): string
    {
        return implode('.', self::read()['OC_Version']);
    }

    /** Three numbers, as people say it. */
    public static function name(): string
    {
        return self::read()['OC_VersionString'];
    }

    /** @return array<string, mixed> */
    private static function read(): array
    {
        require __DIR__ . '/../version.php';
        return get_defined_vars();
    }
}
