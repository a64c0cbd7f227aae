<?php
// The cache, as the environment says. Read again at each request.
if (getenv('REDIS_HOST')) {
    $file = getenv('REDIS_HOST_PASSWORD_FILE');
    $CONFIG = [
        'memcache.distributed' => '\OC\Memcache\Redis',
        'memcache.locking' => '\OC\Memcache\Redis',
        'redis' => [
            'host' => getenv('REDIS_HOST'),
            'port' => getenv('REDIS_HOST_PORT') ?: (str_starts_with(getenv('REDIS_HOST'), '/') ? 0 : 6379),
            'user' => (string) getenv('REDIS_HOST_USER'),
            'password' => $file && is_file($file) ? trim(file_get_contents($file)) : (string) getenv('REDIS_HOST_PASSWORD'),
        ],
    ];
}
