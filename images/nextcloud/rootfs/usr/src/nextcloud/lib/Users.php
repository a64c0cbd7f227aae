<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/** People, their passwords, groups and preferences, in the database. */
final class Users
{
    public function __construct(private readonly Database $database)
    {
    }

    /** @throws RuntimeException when the name is taken or not allowed, or the password is empty */
    public function create(string $uid, string $password, ?string $displayName = null): void
    {
        if (preg_match('/^[a-zA-Z0-9 _.@\'-]{1,64}$/', $uid) !== 1 || in_array($uid, ['.', '..'], true)) {
            throw new RuntimeException('Only the following characters are allowed in an Login: "a-z", "A-Z", "0-9", spaces and "_.@-\'"');
        }
        if ($password === '') {
            throw new RuntimeException('A valid password must be provided');
        }
        if ($this->exists($uid)) {
            throw new RuntimeException('The Login is already being used');
        }
        $hash = password_hash($password, PASSWORD_DEFAULT);
        $this->database->run(
            'INSERT INTO oc_users (uid, displayname, password) VALUES (?, ?, ?)',
            [$uid, $displayName ?? $uid, $hash],
        );
    }

    public function exists(string $uid): bool
    {
        return $this->database->value('SELECT 1 FROM oc_users WHERE uid = ?', [$uid]) !== null;
    }

    public function setPassword(string $uid, string $password): void
    {
        $hash = password_hash($password, PASSWORD_DEFAULT);
        $this->database->run('UPDATE oc_users SET password = ? WHERE uid = ?', [$hash, $uid]);
    }

    public function check(string $uid, string $password): bool
    {
        $hash = $this->database->value('SELECT password FROM oc_users WHERE uid = ?', [$uid]);
        return $hash !== null && password_verify($password, $hash);
    }

    public function delete(string $uid): void
    {
        foreach (['oc_users' => 'uid', 'oc_preferences' => 'userid', 'oc_group_user' => 'uid'] as $table => $column) {
            $this->database->run("DELETE FROM $table WHERE $column = ?", [$uid]);
        }
    }

    /** @return array<string, string> uid → display name */
    public function all(): array
    {
        $rows = $this->database->rows('SELECT uid, displayname FROM oc_users ORDER BY uid');
        return array_column($rows, 'displayname', 'uid');
    }

    public function addToGroup(string $uid, string $group): void
    {
        $this->database->run('INSERT INTO oc_groups (gid, displayname) VALUES (?, ?) ON CONFLICT DO NOTHING', [$group, $group]);
        $this->database->run('INSERT INTO oc_group_user (gid, uid) VALUES (?, ?) ON CONFLICT DO NOTHING', [$group, $uid]);
    }

    public function preference(string $uid, string $app, string $key): ?string
    {
        return $this->database->value(
            'SELECT configvalue FROM oc_preferences WHERE userid = ? AND appid = ? AND configkey = ?',
            [$uid, $app, $key],
        );
    }

    public function setPreference(string $uid, string $app, string $key, string $value): void
    {
        $this->database->run(
            'INSERT INTO oc_preferences (userid, appid, configkey, configvalue) VALUES (?, ?, ?, ?)
                ON CONFLICT (userid, appid, configkey) DO UPDATE SET configvalue = excluded.configvalue',
            [$uid, $app, $key, $value],
        );
    }
}
