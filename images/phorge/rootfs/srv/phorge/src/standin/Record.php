<?php

/** A row of a table, with the getters and setters of upstream's classes. */
abstract class Record {
    const TABLE = '';
    const COLUMNS = [];
    const PHID = '';

    protected array $row = [];

    function __call(string $method, array $arguments) {
        $column = lcfirst(substr($method, 3));
        $column = ['username' => 'userName', 'iD' => 'id', 'pHID' => 'phid'][$column] ?? $column;
        if (!in_array($column, [...static::COLUMNS, 'id', 'phid'], true)) {
            throw new BadMethodCallException('this stand-in has no '.static::class."::$method()");
        }
        if (str_starts_with($method, 'set')) {
            $this->row[$column] = $arguments[0];
            return $this;
        }
        return $this->row[$column] ?? null;
    }

    function loadOneWhere(string $pattern, ...$values): ?static {
        $rows = Database::rows('SELECT * FROM '.static::TABLE.' WHERE '.preg_replace('/%[sd]/', '?', $pattern).' LIMIT 2', $values);
        if (count($rows) > 1) {
            throw new Exception('more than one row: '.static::class);
        }
        if (!$rows) {
            return null;
        }
        $this->row = $rows[0];
        return $this;
    }

    function loadAllWhere(string $pattern, ...$values): array {
        $rows = Database::rows('SELECT * FROM '.static::TABLE.' WHERE '.preg_replace('/%[sd]/', '?', $pattern).' ORDER BY id', $values);
        return array_map(function (array $row): static {
            $record = new static();
            $record->row = $row;
            return $record;
        }, array_column($rows, null, 'id'));
    }

    function save(): static {
        $this->row['dateModified'] = time();
        $this->row['dateCreated'] ??= time();
        if (static::PHID !== '') {
            $this->row['phid'] ??= Database::phid(static::PHID);
        }
        $set = implode(', ', array_map(fn ($column) => "`$column` = ?", array_keys($this->row)));
        if (isset($this->row['id'])) {
            Database::run('UPDATE '.static::TABLE." SET $set WHERE id = ?", [...array_values($this->row), $this->row['id']]);
        } else {
            Database::run('INSERT INTO '.static::TABLE." SET $set", array_values($this->row));
            $this->row['id'] = Database::newest();
        }
        return $this;
    }
}
