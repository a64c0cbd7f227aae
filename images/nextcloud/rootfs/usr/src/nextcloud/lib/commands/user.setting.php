<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Quota;

/** Prints or sets a setting of a person, such as `files quota "5 GB"`. */
return static function (Instance $instance, Input $input): ?int {
    [$uid, $app, $key] = [$input->argument(0, 'uid'), $input->argument(1, 'app'), $input->argument(2, 'key')];
    $users = $instance->users();
    if (!$users->exists($uid)) {
        throw new RuntimeException("The user \"$uid\" does not exist.");
    }
    $value = $input->arguments()[3] ?? null;
    if ($value === null) {
        $value = $users->preference($uid, $app, $key) ?? $input->option('default-value');
        if ($value === null) {
            echo "The setting does not exist for user \"$uid\".\n";
            return 1;
        }
        echo $value, "\n";
        return 0;
    }
    if ($app === 'files' && $key === 'quota' && !in_array($value, ['none', 'default'], true)) {
        Quota::bytes($value);
    }
    $users->setPreference($uid, $app, $key, $value);
    return 0;
};
