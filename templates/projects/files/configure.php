<?php
// Writes Phorge's local.json into a folder that is memory only. Passwords come from the environment,
// and json_encode quotes whatever stands in them.

// The last line is what the status shows: what was wrong, and not where.
set_exception_handler(function (Throwable $error): never {
    fwrite(STDERR, 'configure: '.$error->getMessage()."\n");
    exit(1);
});

function from_environment(string $name): ?string {
    $value = getenv($name);
    return $value === false || $value === '' ? null : $value;
}

$settings = [
    'mysql.host' => from_environment('DB_HOST'),
    // As text: a number is a setup issue of Phorge's.
    'mysql.port' => '3306',
    'mysql.user' => from_environment('DB_USER'),
    'mysql.pass' => from_environment('DB_PASSWORD'),
    'storage.default-namespace' => 'phorge',
    'phabricator.base-uri' => from_environment('BASE_URI').'/',
    'security.require-https' => true,
    // Files of any size lie on the volume that is sold; MySQL would take 1 MB at most.
    'storage.local-disk.path' => '/var/files',
    'storage.mysql-engine.max-size' => 0,
    'repository.default-local-path' => '/var/repo',
    'diffusion.allow-http-auth' => true,
    'phd.log-directory' => '/tmp/phd/log',
    'phd.taskmasters' => 2,
    'pygments.enabled' => false,
    // What stands beside the logo on each page.
    'ui.logo' => ['wordmarkText' => from_environment('DISPLAY_NAME')],
    // Who the identity provider lets in by group needs no second approval.
    'auth.require-approval' => from_environment('OIDC') === null,
];
$host = from_environment('SMTP_HOST');
if ($host !== null) {
    $port = (int) from_environment('SMTP_PORT');
    $options = ['host' => $host, 'port' => $port, 'protocol' => $port === 465 ? 'ssl' : 'tls'];
    if (from_environment('SMTP_USER') !== null) {
        $options += ['user' => from_environment('SMTP_USER'), 'password' => from_environment('SMTP_PASSWORD')];
    }
    $settings['cluster.mailers'] = [['key' => 'platform', 'type' => 'smtp', 'options' => $options]];
    $settings['metamta.default-address'] = from_environment('MAIL_FROM');
}

umask(0027);
// guard: quoted-secret
$text = json_encode($settings, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
$file = '/configuration/local.json';
if (file_put_contents("$file.new", "$text\n") === false || !rename("$file.new", $file)) {
    fwrite(STDERR, "configure: $file cannot be written\n");
    exit(1);
}
