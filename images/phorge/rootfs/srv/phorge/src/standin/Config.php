<?php

/** The configuration: conf/local/local.json, and what the database says beyond it. */
final class Config {
    const FILE = '/srv/phorge/conf/local/local.json';
    const DEFAULTS = [
        'cluster.read-only' => false,
        'mysql.host' => 'localhost',
        'mysql.pass' => '',
        'mysql.port' => null,
        'mysql.user' => 'root',
        'phabricator.base-uri' => null,
        'repository.default-local-path' => '/var/repo/',
        'security.require-https' => false,
        'storage.default-namespace' => 'phabricator',
        'storage.local-disk.path' => null,
        'storage.mysql-engine.max-size' => 1000000,
    ];

    private static ?array $local = null;

    static function local(): array {
        if (self::$local === null) {
            if (!is_file(self::FILE)) {
                throw new Exception('there is no '.self::FILE);
            }
            $local = json_decode((string) file_get_contents(self::FILE), true);
            if (!is_array($local) || ($local !== [] && array_is_list($local))) {
                throw new Exception(self::FILE.' is not a JSON object: '.json_last_error_msg());
            }
            self::$local = $local;
        }
        return self::$local;
    }

    static function get(string $key) {
        return self::local()[$key] ?? self::stored($key) ?? self::DEFAULTS[$key] ?? null;
    }

    /** `bin/config set`: the file is written where it lies, as upstream, and must be writable. */
    static function set(string $key, $value): void {
        $local = is_file(self::FILE) ? self::local() : [];
        $local[$key] = $value;
        if (@file_put_contents(self::FILE, json_encode($local, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES)."\n") === false) {
            throw new Exception(self::FILE.' cannot be written');
        }
        self::$local = $local;
    }

    static function store(string $key, $value): void {
        $now = time();
        Database::run(
            'INSERT INTO {config}.config_entry (phid, namespace, configKey, value, dateCreated, dateModified)
             VALUES (?, "default", ?, ?, ?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value), isDeleted = 0, dateModified = VALUES(dateModified)',
            [Database::phid('CONF'), $key, json_encode($value), $now, $now]);
    }

    private static function stored(string $key) {
        // These say where the database is.
        if (str_starts_with($key, 'mysql.') || $key === 'storage.default-namespace') {
            return null;
        }
        try {
            $rows = Database::rows('SELECT value FROM {config}.config_entry WHERE configKey = ? AND isDeleted = 0', [$key]);
        } catch (mysqli_sql_exception) {
            return null;
        }
        return $rows ? json_decode($rows[0]['value'], true) : null;
    }
}
