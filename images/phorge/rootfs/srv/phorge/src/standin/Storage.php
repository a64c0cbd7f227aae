<?php

/** `bin/storage`: databases and patches. */
final class Storage {
    const FOLDER = '/srv/phorge/resources/sql';
    const QUICKSTART = 'phabricator:quickstart.sql';

    /** Names of all patches, oldest first. */
    static function patches(): array {
        $patches = [];
        foreach (glob(self::FOLDER.'/patches/*.sql') as $file) {
            $patches['phabricator:'.basename($file)] = $file;
        }
        return $patches;
    }

    /** Which of them are applied, or null when nothing ever was. */
    static function applied(): ?array {
        try {
            return array_column(Database::rows('SELECT patch FROM {meta_data}.patch_status'), 'patch');
        } catch (mysqli_sql_exception $error) {
            // No such database, no such table, and none that this user may see.
            if (in_array($error->getCode(), [1049, 1146, 1044, 1142])) {
                return null;
            }
            throw $error;
        }
    }

    static function missing(): array {
        $applied = self::applied();
        return $applied === null ? [self::QUICKSTART] : array_values(array_diff(array_keys(self::patches()), $applied));
    }

    static function upgrade(): void {
        $lock = 'phorge:upgrade:'.Database::namespace();
        if (Database::rows('SELECT GET_LOCK(?, 600) AS got', [$lock])[0]['got'] != 1) {
            throw new Exception('another upgrade is at work');
        }
        $applied = self::applied();
        if ($applied === null) {
            echo "Loading quickstart template onto the database host...\n";
            self::quickstart();
            $applied = self::applied();
        }
        foreach (self::patches() as $patch => $file) {
            if (in_array($patch, $applied, true)) {
                continue;
            }
            echo "Applying patch \"$patch\"...\n";
            $began = hrtime(true);
            foreach (self::statements($file) as $statement) {
                Database::connection()->query($statement);
            }
            // Each patch can be applied twice, for this may not have been reached.
            $took = intdiv(hrtime(true) - $began, 1000);
            Database::run('INSERT INTO {meta_data}.patch_status VALUES (?, ?, ?)', [$patch, time(), $took]);
        }
        echo "Storage is up to date. Use \"storage status\" for details.\n";
    }

    /**
     * As upstream, and a trap: tables are made without IF NOT EXISTS, and only on the way comes the one
     * that says so. Killed before, the next run begins here again and fails at the first table for ever.
     */
    private static function quickstart(): void {
        $statements = self::statements(self::FOLDER.'/quickstart.sql');
        foreach ($statements as $number => $statement) {
            Database::connection()->query($statement);
            if ($number === intdiv(count($statements), 2)) {
                sleep((int) getenv('STANDIN_UPGRADE_SECONDS'));
            }
        }
    }

    private static function statements(string $file): array {
        $text = str_replace('{$NAMESPACE}', Database::namespace(), file_get_contents($file));
        return array_filter(array_map('trim', preg_split('/;\s*\n/', $text)));
    }

    static function databases(): array {
        $prefix = addcslashes(Database::namespace().'_', '_%').'%';
        $rows = Database::rows('SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name LIKE ?', [$prefix]);
        return array_column($rows, 'name');
    }

    /** What the setup checks find wrong with the configuration and the server. */
    static function issues(): array {
        $server = Database::rows('SELECT @@GLOBAL.max_allowed_packet AS packet, @@GLOBAL.sql_mode AS mode,
            @@GLOBAL.local_infile AS local_files, @@GLOBAL.innodb_buffer_pool_size AS pool')[0];
        return array_keys(array_filter([
            'Config "mysql.port" Invalid: no text' => !is_string(Config::get('mysql.port') ?? ''),
            'max_allowed_packet is below 32M' => $server['packet'] < 33554432,
            'sql_mode is without STRICT_ALL_TABLES' => !str_contains($server['mode'], 'STRICT_ALL_TABLES'),
            'local_infile is on' => (bool) $server['local_files'],
            'innodb_buffer_pool_size is below 225M' => $server['pool'] < 225 << 20,
        ]));
    }
}
