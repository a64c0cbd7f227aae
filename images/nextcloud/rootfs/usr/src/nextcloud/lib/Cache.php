<?php
declare(strict_types=1);

namespace StandIn;

use Redis;

/** The Redis server, when one is configured. */
final class Cache
{
    private function __construct(private readonly Redis $redis, private readonly string $prefix)
    {
    }

    /** @throws \RedisException when it is configured and cannot be reached or refuses */
    public static function open(Config $config): ?self
    {
        $settings = $config->get('redis');
        if (!is_array($settings)) {
            return null;
        }
        $redis = new Redis();
        $redis->connect($settings['host'], (int) ($settings['port'] ?? 6379), 2.5);
        $password = (string) ($settings['password'] ?? '');
        if ($password !== '') {
            $user = (string) ($settings['user'] ?? '');
            $redis->auth($user === '' ? $password : [$user, $password]);
        }
        $redis->ping();
        return new self($redis, $config->get('instanceid', 'none') . '/');
    }

    /** Counts one more and returns how many there are. */
    public function count(string $what): int
    {
        return (int) $this->redis->incr($this->prefix . $what);
    }

    /** What the server calls itself. */
    public function server(): string
    {
        return 'Redis ' . $this->redis->info('server')['redis_version'];
    }
}
