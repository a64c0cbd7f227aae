<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/** What stands on the command line: the command, its arguments, its options. */
final class Input
{
    /** Options that take no value. Every other takes one, after `=` or as the next word. */
    private const FLAGS = [
        'on', 'off', 'no-interaction', 'n', 'force', 'f', 'password-from-env', 'keep-disabled', 'delete', 'allow-unstable',
        'no-warnings', 'quiet', 'q', 'v', 'verbose', 'skip-background-jobs', 'sensitive', 'lazy', 'include-expensive', 'exit-code', 'e', 'all',
        'error-if-not-exists', 'update-only', 'ansi', 'no-ansi',
    ];

    /** @var list<string> */
    private array $words = [];
    /** @var array<string, list<string>> */
    private array $options = [];

    /** @param list<string> $arguments */
    public function __construct(array $arguments)
    {
        while ($arguments !== []) {
            $word = array_shift($arguments);
            if (preg_match('/^(?:--([a-z][a-z0-9-]*)|-([a-z]))(?:=(.*))?$/s', $word, $match) !== 1) {
                $this->words[] = $word;
                continue;
            }
            $name = $match[1] !== '' ? $match[1] : $match[2];
            $value = $match[3] ?? (in_array($name, self::FLAGS, true) ? '' : array_shift($arguments));
            $this->options[$name][] = $value ?? throw new RuntimeException("The \"--$name\" option requires a value.");
        }
    }

    public function command(): string
    {
        return $this->words[0] ?? '';
    }

    /** @return list<string> */
    public function arguments(): array
    {
        return array_slice($this->words, 1);
    }

    public function argument(int $index, string $name): string
    {
        return $this->words[$index + 1] ?? throw new RuntimeException("Not enough arguments (missing: \"$name\").");
    }

    public function has(string $option): bool
    {
        return isset($this->options[$option]);
    }

    public function option(string $name, ?string $default = null): ?string
    {
        return $this->options[$name][0] ?? $default;
    }

    public function required(string $name): string
    {
        return $this->option($name) ?? throw new RuntimeException("The \"--$name\" option is required.");
    }

    /** @return list<string> */
    public function each(string $name): array
    {
        return $this->options[$name] ?? [];
    }

    /** @return array<string, string> all options with their first value */
    public function options(): array
    {
        return array_map(fn (array $values): string => $values[0], $this->options);
    }
}
