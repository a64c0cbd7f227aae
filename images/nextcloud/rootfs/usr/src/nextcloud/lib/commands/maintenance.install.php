<?php
declare(strict_types=1);

use StandIn\Input;
use StandIn\Instance;
use StandIn\Version;

/** Installs: configuration, tables, first administrator, and only at the end "installed". Killed in
 * between it leaves the part that was done, as upstream does; after the administrator was made, a
 * second try is refused because the name is taken, and in an empty database because of the home.
 * STANDIN_INSTALL_SECONDS (default 2) is how long it takes. */
return static function (Instance $instance, Input $input): ?int {
    $password = $input->option('admin-pass') ?: getenv('NC_PASS') ?: throw new RuntimeException('Set an admin Login and password.');
    $admin = $input->option('admin-user', 'admin');
    $data = $input->option('data-dir', dirname(__DIR__, 2) . '/data');
    if ($input->option('database', 'sqlite') !== 'pgsql') {
        throw new RuntimeException('The stand-in knows one database: --database pgsql');
    }
    if ((!is_dir($data) && !@mkdir($data, 0770, true)) || !is_writable($data)) {
        throw new RuntimeException("Cannot create or write into the data directory $data");
    }
    $pause = (int) ((float) (getenv('STANDIN_INSTALL_SECONDS') ?: 2) * 500_000);
    $config = $instance->config;
    $config->set([
        'instanceid' => 'oc' . bin2hex(random_bytes(5)),
        'passwordsalt' => bin2hex(random_bytes(15)),
        'secret' => bin2hex(random_bytes(24)),
        'trusted_domains' => ['localhost'],
        'datadirectory' => $data,
        'dbtype' => 'pgsql',
        'version' => Version::code(),
        'overwrite.cli.url' => 'http://localhost',
        'dbname' => $input->required('database-name'),
        'dbhost' => $input->option('database-host', 'localhost'),
        'dbtableprefix' => 'oc_',
        'dbuser' => $input->required('database-user'),
        'dbpassword' => $input->required('database-pass'),
    ]);
    $instance->database()->migrate();
    usleep($pause);
    if (file_exists("$data/$admin")) {
        throw new RuntimeException('Login is invalid because files already exist for this user');
    }
    $instance->users()->create($admin, $password);
    $instance->users()->addToGroup($admin, 'admin');
    mkdir("$data/$admin/files", 0750, true);
    $instance->settings()->set('core', 'installedat', (string) microtime(true));
    usleep($pause);
    file_put_contents("$data/.ncdata", "# Nextcloud data directory\n");
    $config->set(['installed' => true]);
    echo "Nextcloud was successfully installed\n";
    return 0;
};
