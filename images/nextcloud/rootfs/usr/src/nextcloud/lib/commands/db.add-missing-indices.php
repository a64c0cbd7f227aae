<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;

/** Makes an index that neither an installation nor an upgrade makes, as upstream's. */
return static function (Instance $instance, Input $input): ?int {
    $instance->database()->run('CREATE INDEX IF NOT EXISTS fs_size ON oc_filecache (size)');
    echo "Done.\n";
    return 0;
};
