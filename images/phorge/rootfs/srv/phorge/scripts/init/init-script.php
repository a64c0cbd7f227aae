<?php

require_once __DIR__.'/../../src/standin/load.php';

// As upstream: what was wrong comes first, and the last lines are stack frames.
set_exception_handler(function (Throwable $error): never {
    $what = '('.get_class($error).') '.$error->getMessage();
    fprintf(STDERR, "[%s] EXCEPTION: %s at [%s:%d]\narcanist(), phorge()\n", date('Y-m-d H:i:s'), $what, $error->getFile(), $error->getLine());
    foreach ($error->getTrace() as $number => $frame) {
        $function = ($frame['class'] ?? '').($frame['type'] ?? '').$frame['function'];
        fprintf(STDERR, "  #%d %s(…) called at [%s:%d]\n", $number, $function, $frame['file'] ?? '', $frame['line'] ?? 0);
    }
    exit(255);
});
