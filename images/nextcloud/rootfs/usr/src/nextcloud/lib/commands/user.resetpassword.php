<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Sets a new password, from OC_PASS or NC_PASS. */
return static function (Instance $instance, Input $input): ?int {
    $uid = $input->argument(0, 'user');
    $password = getenv('NC_PASS') ?: getenv('OC_PASS') ?: throw new RuntimeException('NC_PASS/OC_PASS is empty!');
    if (!$instance->users()->exists($uid)) {
        throw new RuntimeException('User does not exist');
    }
    $instance->users()->setPassword($uid, $password);
    echo "Successfully reset password for $uid\n";
    return 0;
};
