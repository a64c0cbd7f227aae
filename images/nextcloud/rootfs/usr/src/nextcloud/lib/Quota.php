<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/** How much each person may keep. The volume's own size is another, harder limit. */
final class Quota
{
    private const UNITS = ['b' => 0, 'k' => 1, 'kb' => 1, 'm' => 2, 'mb' => 2, 'g' => 3, 'gb' => 3, 't' => 4, 'tb' => 4];

    public function __construct(private readonly Users $users, private readonly AppConfig $settings)
    {
    }

    /** In bytes; null means no limit but the volume. */
    public function of(string $uid): ?int
    {
        $quota = $this->users->preference($uid, 'files', 'quota') ?? 'default';
        if ($quota === 'default') {
            $quota = $this->settings->get('files', 'default_quota') ?? 'none';
        }
        // A trap of upstream: what is no number is 0, and nobody can upload anything.
        return $quota === 'none' ? null : self::read($quota) ?? 0;
    }

    /** @throws RuntimeException when it is no quota */
    public static function bytes(string $text): int
    {
        return self::read($text) ?? throw new RuntimeException("Failed to parse quota: $text");
    }

    /** Reads `5 GB`, `512 MB`, `1073741824`. Units are powers of 1024, as in Nextcloud. */
    private static function read(string $text): ?int
    {
        if (preg_match('/^\s*([0-9]+(?:[.,][0-9]+)?)\s*([a-z]*)\s*$/i', $text, $match) !== 1) {
            return null;
        }
        $unit = strtolower($match[2] === '' ? 'b' : $match[2]);
        if (!array_key_exists($unit, self::UNITS)) {
            return null;
        }
        return (int) round((float) str_replace(',', '.', $match[1]) * 1024 ** self::UNITS[$unit]);
    }
}
