<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Output;

/** Adds or changes an identity provider, prints one, or lists all. The client secret is kept apart
 * and never printed. */
return static function (Instance $instance, Input $input): ?int {
    $settings = $instance->settings();
    $name = $input->arguments()[0] ?? null;
    if ($name === null) {
        Output::map($input, array_filter(
            $settings->all()['user_oidc'] ?? [],
            fn (string $key): bool => str_starts_with($key, 'provider-'),
            ARRAY_FILTER_USE_KEY,
        ));
        return 0;
    }
    $known = json_decode($settings->get('user_oidc', "provider-$name") ?? '{}', true, flags: JSON_THROW_ON_ERROR);

    $given = array_diff_key($input->options(), ['output' => true]);
    $long = ['c' => 'clientid', 's' => 'clientsecret', 'd' => 'discoveryuri', 'o' => 'scope'];
    foreach ($long as $letter => $option) {
        if (isset($given[$letter])) {
            $given[$option] = $given[$letter];
            unset($given[$letter]);
        }
    }
    if (isset($given['clientsecret-file'])) {
        $given['clientsecret'] = rtrim(file_get_contents($given['clientsecret-file']), "\r\n");
        unset($given['clientsecret-file']);
    }
    if ($given === []) {
        if ($known === []) {
            echo "Provider $name not found\n";
            return 1;
        }
        Output::map($input, $known);
        return 0;
    }
    if ($known === []) {
        foreach (['clientid', 'clientsecret', 'discoveryuri'] as $needed) {
            if (($given[$needed] ?? '') === '') {
                throw new RuntimeException("Missing option: $needed");
            }
        }
    }
    if (isset($given['clientsecret'])) {
        $settings->set('user_oidc', "secret-$name", $given['clientsecret']);
        unset($given['clientsecret']);
    }
    $settings->set('user_oidc', "provider-$name", json_encode(array_replace($known, $given), JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR));
    echo "Provider $name saved\n";
    return 0;
};
