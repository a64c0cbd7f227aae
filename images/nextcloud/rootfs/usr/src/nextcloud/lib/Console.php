<?php
declare(strict_types=1);

namespace StandIn;

use Throwable;

/**
 * Finds the command `a:b` in commands/a.b.php, which returns a function of the instance and the
 * input that prints its result and returns its exit code (none: 0).
 */
final class Console
{
    /** What can be run whatever state the instance is in. */
    private const ALWAYS = ['status', 'list', 'check'];

    /** What can also be run while the instance waits for its upgrade. */
    private const BEFORE_UPGRADE = [
        'upgrade', 'maintenance:mode', 'maintenance:repair', 'app:enable', 'app:disable',
        'config:system:get', 'config:system:set', 'config:system:delete',
        'config:app:get', 'config:app:set', 'config:app:delete',
    ];

    /** @param list<string> $arguments */
    public function run(array $arguments): int
    {
        $input = new Input($arguments);
        $name = $input->command() ?: 'list';
        try {
            $instance = new Instance();
            $config = $instance->config;
            if (is_file($config->file()) && fileowner($config->file()) !== posix_geteuid()) {
                self::complain('Console has to be executed with the user that owns the file config/config.php');
                self::complain('Current user id: ' . posix_geteuid());
                self::complain('Owner id of config.php: ' . fileowner($config->file()));
                return 1;
            }
            self::warn($config);
            if (!self::isThere($name, $instance)) {
                self::complain("Command \"$name\" is not defined.");
                return 1;
            }
            $command = require self::file($name);
            return $command($instance, $input) ?? 0;
        } catch (Throwable $error) {
            self::complain('In ' . basename($error->getFile()) . ' line ' . $error->getLine() . ': ' . $error->getMessage());
            return 1;
        }
    }

    private static function warn(Config $config): void
    {
        if (!$config->installed()) {
            self::complain('Nextcloud is not installed - only a limited number of commands are available');
        } elseif ($config->needsUpgrade()) {
            self::complain('Nextcloud or one of the apps require upgrade - only a limited number of commands are available');
        } elseif ($config->maintenance()) {
            self::complain('Nextcloud is in maintenance mode, no apps are loaded.');
        }
    }

    private static function isThere(string $name, Instance $instance): bool
    {
        if (preg_match('/^[a-z_]+(:[a-z-]+)*$/', $name) !== 1 || !is_file(self::file($name))) {
            return false;
        }
        if (in_array($name, self::ALWAYS, true)) {
            return true;
        }
        if (!$instance->config->installed()) {
            return $name === 'maintenance:install';
        }
        if ($instance->config->needsUpgrade()) {
            return in_array($name, self::BEFORE_UPGRADE, true);
        }
        if (str_starts_with($name, 'user_oidc:') || $name === 'standin:sign-in') {
            return !$instance->config->maintenance() && $instance->settings()->isEnabled('user_oidc');
        }
        if (str_starts_with($name, 'richdocuments:')) {
            return !$instance->config->maintenance() && $instance->settings()->isEnabled('richdocuments');
        }
        return $name !== 'maintenance:install';
    }

    private static function file(string $name): string
    {
        return __DIR__ . '/commands/' . str_replace(':', '.', $name) . '.php';
    }

    private static function complain(string $line): void
    {
        fwrite(STDERR, $line . "\n");
    }
}
