<?php

require_once __DIR__.'/../../src/standin/load.php';

set_exception_handler(function (Throwable $error): never {
    fwrite(STDERR, '['.get_class($error).'] '.$error->getMessage()."\n");
    exit(1);
});
