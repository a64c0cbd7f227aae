<?php

// Everything, and then what lies in src/extensions: an error there breaks every page and command.
function id($object) {
    return $object;
}

function idx(array $array, $key, $default = null) {
    return $array[$key] ?? $default;
}

function mpull(array $objects, $method, $key = null) {
    $pulled = [];
    foreach ($objects as $index => $object) {
        $pulled[$key === null ? $index : $object->$key()] = $method === null ? $object : $object->$method();
    }
    return $pulled;
}

foreach (['Config', 'Database', 'Storage', 'Record', 'accounts', 'Files', 'Conduit', 'Page'] as $file) {
    require_once __DIR__."/$file.php";
}

final class PhabricatorEnv {
    static function getEnvConfig(string $key) {
        return Config::get($key);
    }
}

foreach (glob('/srv/phorge/src/extensions/*.php') as $extension) {
    require_once $extension;
}
