<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Not upstream's: prints whose account a person of an identity provider gets, by what the provider
 * says of them (JSON), as user_oidc decides it in the browser. */
return static function (Instance $instance, Input $input): ?int {
    $name = $input->argument(0, 'identifier');
    $claims = json_decode($input->argument(1, 'claims'), true, flags: JSON_THROW_ON_ERROR);
    $provider = $instance->settings()->get('user_oidc', "provider-$name") ?? throw new RuntimeException("Provider $name not found");
    $provider = json_decode($provider, true, flags: JSON_THROW_ON_ERROR);

    $groups = (array) ($claims[$provider['mapping-groups'] ?? 'groups'] ?? []);
    $allowed = preg_grep('/' . ($provider['group-whitelist-regex'] ?? '') . '/', $groups);
    if (($provider['group-restrict-login-to-whitelist'] ?? '0') === '1' && $allowed === []) {
        throw new RuntimeException('You do not have permission to log in');
    }
    $claim = $provider['mapping-uid'] ?? 'sub';
    $uid = (string) ($claims[$claim] ?? throw new RuntimeException("There is no claim $claim"));
    if (($provider['unique-uid'] ?? '1') !== '0') {
        $uid = hash('sha256', "{$name}_0_$uid");
    }
    // A trap of upstream: without this setting whoever bears the name of a local account gets it.
    $isShared = $instance->config->getPath(['user_oidc', 'soft_auto_provision']) ?? true;
    if (!$isShared && $instance->users()->exists($uid)) {
        throw new RuntimeException('User conflict');
    }
    echo $uid, "\n";
    return 0;
};
