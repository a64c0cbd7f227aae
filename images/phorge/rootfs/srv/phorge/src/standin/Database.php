<?php

/** MySQL. `{name}` in a statement is the application's database of that name. */
final class Database {
    private static ?mysqli $connection = null;
    private static ?string $namespace = null;

    static function namespace(?string $other = null): string {
        self::$namespace = $other ?? self::$namespace;
        return self::$namespace ?? Config::get('storage.default-namespace');
    }

    static function connection(): mysqli {
        if (!self::$connection) {
            mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
            $connection = mysqli_init();
            $connection->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
            $port = Config::get('mysql.port');
            // A port of its own means TCP, also for localhost.
            $connection->real_connect(Config::get('mysql.host'), Config::get('mysql.user'), Config::get('mysql.pass'), null, $port ? (int) $port : null);
            $connection->set_charset('utf8mb4');
            self::$connection = $connection;
        }
        return self::$connection;
    }

    static function run(string $statement, array $values = []): mysqli_stmt {
        if (!str_starts_with(ltrim($statement), 'SELECT') && Config::get('cluster.read-only')) {
            throw new Exception('the connection cannot write: this server is in read-only mode');
        }
        $statement = preg_replace('/\{([a-z_]+)\}/', '`'.self::namespace().'_$1`', $statement);
        $prepared = self::connection()->prepare($statement);
        $prepared->execute($values);
        return $prepared;
    }

    static function rows(string $statement, array $values = []): array {
        return self::run($statement, $values)->get_result()->fetch_all(MYSQLI_ASSOC);
    }

    static function newest(): int {
        return self::connection()->insert_id;
    }

    static function phid(string $type): string {
        return "PHID-$type-".substr(strtr(base64_encode(random_bytes(24)), '+/ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'aaabcdefghijklmnopqrstuvwxyz'), 0, 20);
    }
}
