<?php
declare(strict_types=1);

namespace StandIn;

use PDO;
use PDOException;
use PDOStatement;

/** The PostgreSQL database, named in the configuration. */
final class Database
{
    private const TABLES = [
        'CREATE TABLE IF NOT EXISTS oc_appconfig (
            appid text NOT NULL, configkey text NOT NULL, configvalue text, PRIMARY KEY (appid, configkey))',
        'CREATE TABLE IF NOT EXISTS oc_users (
            uid text PRIMARY KEY, displayname text, password text NOT NULL)',
        'CREATE TABLE IF NOT EXISTS oc_preferences (
            userid text NOT NULL, appid text NOT NULL, configkey text NOT NULL, configvalue text,
            PRIMARY KEY (userid, appid, configkey))',
        'CREATE TABLE IF NOT EXISTS oc_groups (gid text PRIMARY KEY, displayname text)',
        'CREATE TABLE IF NOT EXISTS oc_group_user (
            gid text NOT NULL, uid text NOT NULL, PRIMARY KEY (gid, uid))',
        'CREATE TABLE IF NOT EXISTS oc_filecache (
            fileid bigserial PRIMARY KEY, owner text NOT NULL, path text NOT NULL, size bigint NOT NULL,
            sha256 text NOT NULL, mtime bigint NOT NULL, UNIQUE (owner, path))',
        'CREATE TABLE IF NOT EXISTS oc_migrations (
            app text NOT NULL, version text NOT NULL, PRIMARY KEY (app, version))',
    ];

    private function __construct(private readonly PDO $connection)
    {
    }

    /** @throws PDOException when the server cannot be reached or refuses */
    public static function open(Config $config): self
    {
        [$host, $port] = array_pad(explode(':', (string) $config->get('dbhost'), 2), 2, '5432');
        $quoted = fn (string $value): string => "'" . addcslashes($value, "'\\") . "'";
        $address = sprintf(
            'pgsql:host=%s;port=%s;dbname=%s;connect_timeout=5',
            $quoted($host),
            $quoted($port),
            $quoted((string) $config->get('dbname')),
        );
        $options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC];
        return new self(new PDO($address, $config->get('dbuser'), $config->get('dbpassword'), $options));
    }

    /** Makes the tables that are not there yet. */
    public function migrate(): void
    {
        foreach (self::TABLES as $table) {
            $this->connection->exec($table);
        }
        $this->run(
            "INSERT INTO oc_migrations (app, version) VALUES ('core', ?) ON CONFLICT DO NOTHING",
            [Version::code()],
        );
    }

    /** @param list<mixed> $values */
    public function run(string $sql, array $values = []): PDOStatement
    {
        $statement = $this->connection->prepare($sql);
        $statement->execute($values);
        return $statement;
    }

    /**
     * @param list<mixed> $values
     * @return list<array<string, mixed>>
     */
    public function rows(string $sql, array $values = []): array
    {
        return $this->run($sql, $values)->fetchAll();
    }

    /**
     * The first column of the first row, or null.
     *
     * @param list<mixed> $values
     */
    public function value(string $sql, array $values = []): mixed
    {
        $value = $this->run($sql, $values)->fetchColumn();
        return $value === false ? null : $value;
    }

    /** What the server calls itself. */
    public function server(): string
    {
        return 'PostgreSQL ' . $this->value('SHOW server_version');
    }
}
