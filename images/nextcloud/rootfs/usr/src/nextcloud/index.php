<?php
// The page that people see: what this is, and what it runs on.
declare(strict_types=1);

use StandIn\Answer;
use StandIn\Host;
use StandIn\Instance;
use StandIn\Page;

require __DIR__ . '/lib/bootstrap.php';

try {
    $instance = new Instance();
    $config = $instance->config;
    $page = new Page($instance);
    if (!$config->installed()) {
        // Like upstream's installation page: nothing says by its status that this is unfinished.
        Answer::html(200, $page->notice('Encara no està instal·lat', 'Not installed yet'));
    }
    if (!(new Host($config))->isTrusted()) {
        Answer::html(400, $page->notice('Accés a través d’un domini no fiable', 'Access through untrusted domain'));
    }
    if ($config->maintenance()) {
        header('Retry-After: 120');
        Answer::html(503, $page->notice('En manteniment', 'Maintenance mode'));
    }
    if ($config->needsUpgrade()) {
        header('Retry-After: 120');
        Answer::html(503, $page->notice('Cal actualitzar', 'Update needed'));
    }
    if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) === '/robots.txt') {
        Answer::text(200, "User-agent: *\nDisallow: /");
    }
    session_name('oc_standin');
    session_start();
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    Answer::html(200, $page->front($_SESSION['visits']));
} catch (Throwable $error) {
    error_log((string) $error);
    Answer::text(500, 'Internal Server Error: database or cache cannot be reached');
}
