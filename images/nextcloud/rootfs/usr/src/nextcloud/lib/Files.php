<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/** People's files: bytes on the data volume, a row for each in the database. */
final class Files
{
    private const CHUNK = 1 << 20;

    public function __construct(
        private readonly string $folder,
        private readonly Database $database,
        private readonly Quota $quota,
    ) {
    }

    /** Where a file lies on the volume. */
    public function place(string $uid, string $path): string
    {
        return "{$this->folder}/$uid/files/$path";
    }

    /**
     * Stores what a stream gives. All of it is there afterwards, or nothing.
     *
     * @param resource $content
     * @param int|null $announced bytes that the sender means to send
     * @return bool whether the file is new
     * @throws InsufficientStorage
     */
    public function put(string $uid, string $path, $content, ?int $announced): bool
    {
        $this->checkQuota($uid, $path, $announced ?? 0);
        $place = $this->place($uid, $path);
        if (!is_dir(dirname($place)) && ($path !== basename($path) || !mkdir(dirname($place), 0750, true))) {
            throw new RuntimeException('The parent folder does not exist', 409);
        }
        $part = $place . '.' . bin2hex(random_bytes(6)) . '.part';
        try {
            [$size, $sha256] = self::write($part, $content);
            if ($announced !== null && $size !== $announced) {
                throw new RuntimeException("Expected $announced bytes and received $size", 400);
            }
            $this->checkQuota($uid, $path, $size);
            $isNew = !is_file($place);
            rename($part, $place);
        } finally {
            if (is_file($part)) {
                unlink($part);
            }
        }
        $this->database->run(
            'INSERT INTO oc_filecache (owner, path, size, sha256, mtime) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (owner, path) DO UPDATE
                SET size = excluded.size, sha256 = excluded.sha256, mtime = excluded.mtime',
            [$uid, "files/$path", $size, $sha256, time()],
        );
        return $isNew;
    }

    /** @return array<string, mixed>|null the row of a file */
    public function find(string $uid, string $path): ?array
    {
        $rows = $this->database->rows('SELECT * FROM oc_filecache WHERE owner = ? AND path = ?', [$uid, "files/$path"]);
        return $rows[0] ?? null;
    }

    /** @return list<array<string, mixed>> the rows of all files of a person */
    public function all(string $uid): array
    {
        return $this->database->rows('SELECT * FROM oc_filecache WHERE owner = ? ORDER BY path', [$uid]);
    }

    public function delete(string $uid, string $path): void
    {
        @unlink($this->place($uid, $path));
        $this->database->run('DELETE FROM oc_filecache WHERE owner = ? AND path = ?', [$uid, "files/$path"]);
    }

    /** In bytes. */
    public function used(string $uid): int
    {
        return (int) $this->database->value('SELECT sum(size) FROM oc_filecache WHERE owner = ?', [$uid]);
    }

    private function checkQuota(string $uid, string $path, int $size): void
    {
        $quota = $this->quota->of($uid);
        if ($quota === null) {
            return;
        }
        $others = $this->used($uid) - (int) ($this->find($uid, $path)['size'] ?? 0);
        if ($others + $size > $quota) {
            $left = max(0, $quota - $others);
            throw new InsufficientStorage("Insufficient space in $path, $size required, $left available");
        }
    }

    /**
     * @param resource $content
     * @return array{int, string} bytes written, and their sha256
     */
    private static function write(string $place, $content): array
    {
        $file = fopen($place, 'xb');
        $hash = hash_init('sha256');
        $size = 0;
        while (!feof($content)) {
            $chunk = fread($content, self::CHUNK);
            if ($chunk === false) {
                throw new RuntimeException('The sender stopped', 400);
            }
            // A full disk shows as a short write, and at the latest when the file is flushed.
            if (@fwrite($file, $chunk) !== strlen($chunk)) {
                throw new InsufficientStorage('No space left on the data volume');
            }
            hash_update($hash, $chunk);
            $size += strlen($chunk);
        }
        if (!@fflush($file) || !@fsync($file) || !@fclose($file)) {
            throw new InsufficientStorage('No space left on the data volume');
        }
        return [$size, hash_final($hash)];
    }
}
