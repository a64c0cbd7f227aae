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
            <title>Phorge (substitut · stand-in)</title>
            <style>
            body { font: 1.1rem/1.5 sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #222 }
            .what { background: #fff3cd; border-left: .4rem solid #e0a800; padding: .6rem 1rem }
            ul { padding-left: 1rem }
            </style>
            <h1>Plataforma de projectes</h1>
            <div class="what">
            <p>Això <strong>no és Phorge</strong>: és un substitut que ocupa el seu lloc en proves i demostracions. No hi deseu res que us importi.</p>
            <p lang="en">This <strong>is not Phorge</strong>: it is a stand-in that takes its place in tests and demos. Keep nothing here that matters to you.</p>
            </div>
            <ul>
            <li>tasques · tasks: $tasks</li>
            <li>fitxers · files: $files</li>
            <li>$server</li>
            <li>inici de sessió · sign-in: $providers ($locked)</li>
            $issues
            </ul>
            HTML;
    }
}
