<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Removes a person. */
return static function (Instance $instance, Input $input): ?int {
    $uid = $input->argument(0, 'uid');
    if (!$instance->users()->exists($uid)) {
        throw new RuntimeException('User does not exist');
    }
    $instance->users()->delete($uid);
    echo "The specified user was deleted\n";
    return 0;
};
