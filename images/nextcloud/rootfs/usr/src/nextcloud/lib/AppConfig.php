<?php
declare(strict_types=1);

namespace StandIn;

/** Settings of apps, in the database. */
final class AppConfig
{
    public function __construct(private readonly Database $database)
    {
    }

    public function get(string $app, string $key): ?string
    {
        return $this->database->value(
            'SELECT configvalue FROM oc_appconfig WHERE appid = ? AND configkey = ?',
            [$app, $key],
        );
    }

    public function set(string $app, string $key, string $value): void
    {
        $this->database->run(
            'INSERT INTO oc_appconfig (appid, configkey, configvalue) VALUES (?, ?, ?)
                ON CONFLICT (appid, configkey) DO UPDATE SET configvalue = excluded.configvalue',
            [$app, $key, $value],
        );
    }

    public function delete(string $app, string $key): void
    {
        $this->database->run('DELETE FROM oc_appconfig WHERE appid = ? AND configkey = ?', [$app, $key]);
    }

    public function isEnabled(string $app): bool
    {
        return $this->get($app, 'enabled') === 'yes';
    }

    /** @return array<string, array<string, string>> app → key → value */
    public function all(): array
    {
        $all = [];
        foreach ($this->database->rows('SELECT * FROM oc_appconfig ORDER BY appid, configkey') as $row) {
            $all[$row['appid']][$row['configkey']] = $row['configvalue'];
        }
        return $all;
    }
}
