<?php

/** The front page. */
final class Page {
    static function front(): string {
        $one = fn (string $statement) => array_values(Database::rows($statement)[0])[0];
        $tasks = $one('SELECT count(*) FROM {maniphest}.maniphest_task');
        $files = $one('SELECT count(*) FROM {file}.file');
        $server = htmlspecialchars($one('SELECT version()'));
        $names = array_column(Database::rows('SELECT providerClass FROM {auth}.auth_providerconfig WHERE isEnabled = 1 ORDER BY 1'), 'providerClass');
        $providers = htmlspecialchars(implode(', ', $names) ?: 'none');
        $locked = Config::get('auth.lock-config') ? 'locked' : 'not locked';
        $issues = implode('', array_map(fn ($issue) => '<li>setup issue: '.htmlspecialchars($issue).'</li>', Storage::issues()));
        return <<<HTML
            <!doctype html>
            <html lang="ca">
            <meta charset="utf-8">
            <title>Phorge</title>
            <h1>Phorge</h1>
            <p>Això <strong>no és Phorge</strong>: és un substitut per a proves que en compleix el contracte.</p>
            <p lang="en">This <strong>is not Phorge</strong>: it is a stand-in for tests that honours its contract.</p>
            <ul>
            <li>tasks: $tasks</li>
            <li>files: $files</li>
            <li>$server</li>
            <li>sign-in: $providers ($locked)</li>
            $issues
            </ul>
            HTML;
    }
}
