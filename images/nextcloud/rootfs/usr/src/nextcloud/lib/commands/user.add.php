<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Adds a person; the password comes from OC_PASS or NC_PASS with --password-from-env. */
return static function (Instance $instance, Input $input): ?int {
    $uid = $input->argument(0, 'uid');
    $password = $input->has('password-from-env') ? (getenv('NC_PASS') ?: getenv('OC_PASS') ?: '') : '';
    if ($password === '') {
        throw new RuntimeException('--password-from-env given, but NC_PASS/OC_PASS is empty!');
    }
    $users = $instance->users();
    $users->create($uid, $password, $input->option('display-name'));
    foreach ([...$input->each('group'), ...$input->each('g')] as $group) {
        $users->addToGroup($uid, $group);
    }
    echo "The account \"$uid\" was created successfully\n";
    return 0;
};
