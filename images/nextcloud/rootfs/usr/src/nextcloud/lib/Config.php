<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/**
 * The system configuration: config/config.php, then config/*.config.php over it, then NC_<key> from
 * the environment over both. Only the first is ever written.
 */
final class Config
{
    /** @var array<string, mixed> */
    private array $own;
    /** @var array<string, mixed> */
    private array $merged;

    public function __construct(private readonly string $folder = __DIR__ . '/../config')
    {
        $this->own = self::read($this->file());
        $this->merged = $this->own;
        foreach (glob($this->folder . '/*.config.php') ?: [] as $file) {
            $this->merged = array_replace($this->merged, self::read($file));
        }
    }

    public function file(): string
    {
        return $this->folder . '/config.php';
    }

    public function get(string $key, mixed $default = null): mixed
    {
        $environment = getenv('NC_' . $key);
        return $environment !== false ? $environment : ($this->merged[$key] ?? $default);
    }

    public function installed(): bool
    {
        return (bool) $this->get('installed', false);
    }

    public function maintenance(): bool
    {
        return (bool) $this->get('maintenance', false);
    }

    public function needsUpgrade(): bool
    {
        return $this->installed()
            && version_compare(Version::code(), (string) $this->get('version', '0'), '>');
    }

    /** @param list<string> $path a key and, for values that are lists or maps, the keys below it */
    public function getPath(array $path): mixed
    {
        $value = $this->get(array_shift($path));
        foreach ($path as $key) {
            if (!is_array($value) || !array_key_exists($key, $value)) {
                return null;
            }
            $value = $value[$key];
        }
        return $value;
    }

    /** @param list<string> $path */
    public function setPath(array $path, mixed $value): void
    {
        $own = $this->own;
        $place = &$own;
        foreach ($path as $key) {
            if (!is_array($place)) {
                $place = [];
            }
            $place = &$place[$key];
        }
        $place = $value;
        unset($place);
        $this->write($own);
    }

    /** @param list<string> $path */
    public function deletePath(array $path): void
    {
        $own = $this->own;
        $last = array_pop($path);
        $place = &$own;
        foreach ($path as $key) {
            if (!isset($place[$key]) || !is_array($place[$key])) {
                return;
            }
            $place = &$place[$key];
        }
        unset($place[$last], $place);
        $this->write($own);
    }

    /** @param array<string, mixed> $values */
    public function set(array $values): void
    {
        $this->write(array_replace($this->own, $values));
    }

    /** @return array<string, mixed> */
    private static function read(string $file): array
    {
        $CONFIG = [];
        if (is_file($file)) {
            include $file;
        }
        return $CONFIG;
    }

    /** @param array<string, mixed> $own */
    private function write(array $own): void
    {
        // var_export quotes: a ' in a password is just a character.
        $text = "<?php\n\$CONFIG = " . var_export($own, true) . ";\n";
        $unfinished = $this->file() . '.tmp';
        if (@file_put_contents($unfinished, $text) !== strlen($text) || !@rename($unfinished, $this->file())) {
            throw new RuntimeException("Cannot write into \"config\" directory: {$this->folder}");
        }
        @chmod($this->file(), 0640);
        $this->merged = array_replace($this->merged, $own);
        $this->merged = array_diff_key($this->merged, array_diff_key($this->own, $own));
        $this->own = $own;
    }
}
