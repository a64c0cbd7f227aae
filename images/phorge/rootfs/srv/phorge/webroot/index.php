<?php

// Every request. As upstream: support/preamble.php first, then the host, the database, https.

function preamble_trust_x_forwarded_for_header(): void {
    $addresses = array_map('trim', explode(',', $_SERVER['HTTP_X_FORWARDED_FOR'] ?? ''));
    if (end($addresses) !== '') {
        $_SERVER['REMOTE_ADDR'] = end($addresses);
    }
}

function answer(int $status, string $type, string $body): never {
    http_response_code($status);
    header("Content-Type: $type; charset=utf-8");
    echo $body;
    exit;
}

set_exception_handler(fn (Throwable $error) => answer(500, 'text/plain', 'Unhandled Exception: '.$error->getMessage()."\n"));

$preamble = __DIR__.'/../support/preamble.php';
if (is_file($preamble)) {
    require $preamble;
}
require __DIR__.'/../src/standin/load.php';

$base = (string) Config::get('phabricator.base-uri');
$host = strtolower($_SERVER['HTTP_HOST'] ?? '');
$wanted = strtolower((string) parse_url($base, PHP_URL_HOST));
if ($base !== '' && preg_replace('/:[0-9]+$/', '', $host) !== $wanted) {
    answer(500, 'text/plain', "Site Not Found: this is $wanted\n");
}
if ($missing = Storage::missing()) {
    answer(500, 'text/plain', 'Setup: run "bin/storage upgrade"; not applied: '.implode(', ', $missing)."\n");
}
if (Config::get('security.require-https') && empty($_SERVER['HTTPS'])) {
    header("Location: https://$host{$_SERVER['REQUEST_URI']}", true, 302);
    exit;
}
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/';
if ($path === '/status/') {
    answer(200, 'text/plain', "ALIVE\n");
}
if ($path === '/') {
    answer(200, 'text/html', Page::front());
}
if (preg_match('#^/api/([a-z.]+)$#', $path, $method)) {
    answer(200, 'application/json', json_encode(Conduit::answer($method[1], $_POST), JSON_UNESCAPED_SLASHES));
}
answer(404, 'text/plain', "404 Not Found\n");
