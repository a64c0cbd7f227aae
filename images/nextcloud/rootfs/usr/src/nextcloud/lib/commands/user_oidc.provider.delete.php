<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Removes an identity provider. */
return static function (Instance $instance, Input $input): ?int {
    $name = $input->argument(0, 'identifier');
    if ($instance->settings()->get('user_oidc', "provider-$name") === null) {
        echo "Provider $name not found\n";
        return 1;
    }
    $instance->settings()->delete('user_oidc', "provider-$name");
    $instance->settings()->delete('user_oidc', "secret-$name");
    echo "Provider $name deleted\n";
    return 0;
};
