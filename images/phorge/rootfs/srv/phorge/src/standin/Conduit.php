<?php

/** The API, in the form of upstream: errors are answers as well. */
final class Conduit {
    static function answer(string $method, array $in): array {
        try {
            // PHP writes the dot of a form's field as an underscore.
            $author = self::author((string) ($in['api_token'] ?? ''));
            return ['result' => self::call($method, $in, $author), 'error_code' => null, 'error_info' => null];
        } catch (DomainException $error) {
            return ['result' => null, 'error_code' => 'ERR-INVALID-AUTH', 'error_info' => $error->getMessage()];
        } catch (Exception $error) {
            return ['result' => null, 'error_code' => 'ERR-CONDUIT-CORE', 'error_info' => $error->getMessage()];
        }
    }

    private static function author(string $token): string {
        $rows = Database::rows('SELECT objectPHID FROM {conduit}.conduit_token WHERE token = ?', [$token]);
        return $rows[0]['objectPHID'] ?? throw new DomainException('API token is not a valid token.');
    }

    private static function call(string $method, array $in, string $author) {
        $need = fn (string $name) => is_string($in[$name] ?? null) ? $in[$name] : throw new Exception("$name is required");
        switch ($method) {
            case 'conduit.ping':
                return gethostname();
            case 'file.upload':
                $data = base64_decode(strtr($need('data_base64'), ' ', '+'), true);
                return Files::store($in['name'] ?? 'file', $data === false ? throw new Exception('data_base64 is not base64') : $data, $author);
            case 'file.download':
                return base64_encode(Files::read($need('phid')));
            case 'file.info':
                $file = Files::info($need('phid'));
                return ['id' => (string) $file['id'], 'phid' => $file['phid'], 'name' => $file['name'], 'byteSize' => (string) $file['byteSize']];
            case 'maniphest.createtask':
                $row = [Database::phid('TASK'), $author, $need('title'), $in['description'] ?? '', time(), time()];
                Database::run('INSERT INTO {maniphest}.maniphest_task (phid, authorPHID, title, description, dateCreated, dateModified) VALUES (?, ?, ?, ?, ?, ?)', $row);
                return ['id' => (string) Database::newest(), 'phid' => $row[0], 'title' => $row[2], 'description' => $row[3]];
            case 'maniphest.query':
                $rows = Database::rows('SELECT id, phid, title, description, status FROM {maniphest}.maniphest_task ORDER BY id');
                return array_column($rows, null, 'phid') ?: new stdClass();
        }
        throw new Exception("Conduit method \"$method\" does not exist.");
    }
}
