<?php
// Loads a class from the file of its name.
declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    $prefix = 'StandIn\\';
    if (str_starts_with($class, $prefix)) {
        require __DIR__ . '/' . substr($class, strlen($prefix)) . '.php';
    }
});
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if ((error_reporting() & $level) === 0) {
        return false; // silenced with @
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});
