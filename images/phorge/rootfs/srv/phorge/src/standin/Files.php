<?php

/** Files that people upload: on a local disk when one is configured, else in MySQL. */
final class Files {
    static function store(string $name, string $data, string $author): string {
        $phid = Database::phid('FILE');
        $disk = Config::get('storage.local-disk.path');
        if ($disk !== null && $disk !== '') {
            $engine = 'local-disk';
            $handle = self::write($disk, $data);
        } elseif (strlen($data) <= Config::get('storage.mysql-engine.max-size')) {
            $engine = 'blob';
            Database::run('INSERT INTO {file}.file_storageblob (data, dateCreated, dateModified) VALUES (?, ?, ?)', [$data, time(), time()]);
            $handle = (string) Database::newest();
        } else {
            throw new Exception('All storage engines failed to write file: the largest for MySQL is '.Config::get('storage.mysql-engine.max-size').' bytes');
        }
        Database::run(
            'INSERT INTO {file}.file (phid, name, byteSize, contentHash, storageEngine, storageHandle, authorPHID, dateCreated, dateModified)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
            [$phid, $name, strlen($data), hash('sha256', $data), $engine, $handle, $author, time(), time()]);
        return $phid;
    }

    /** Nothing is left of a file that does not fit. */
    private static function write(string $disk, string $data): string {
        $hash = bin2hex(random_bytes(16));
        $handle = implode('/', [substr($hash, 0, 2), substr($hash, 2, 2), substr($hash, 4)]);
        $path = "$disk/$handle";
        error_clear_last();
        if (!is_dir(dirname($path)) && !@mkdir(dirname($path), 0770, true)) {
            throw new Exception("$path: ".(error_get_last()['message'] ?? 'cannot be made'));
        }
        if (@file_put_contents($path, $data) !== strlen($data)) {
            $reason = error_get_last()['message'] ?? 'No space left on device';
            @unlink($path);
            throw new Exception("$path: ".(str_contains($reason, 'bytes written') ? 'No space left on device' : $reason));
        }
        return $handle;
    }

    static function info(string $phid): array {
        $rows = Database::rows('SELECT * FROM {file}.file WHERE phid = ?', [$phid]);
        return $rows[0] ?? throw new Exception('ERR-BAD-PHID');
    }

    static function read(string $phid): string {
        $file = self::info($phid);
        if ($file['storageEngine'] === 'blob') {
            return Database::rows('SELECT data FROM {file}.file_storageblob WHERE id = ?', [$file['storageHandle']])[0]['data'];
        }
        $data = @file_get_contents(Config::get('storage.local-disk.path').'/'.$file['storageHandle']);
        return $data !== false ? $data : throw new Exception('the file is not on the local disk');
    }
}
