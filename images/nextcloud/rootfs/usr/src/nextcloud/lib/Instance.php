<?php
declare(strict_types=1);

namespace StandIn;

/** The parts of a running instance, each opened when it is first asked for. */
final class Instance
{
    private ?Database $database = null;

    public function __construct(public readonly Config $config = new Config())
    {
    }

    public function database(): Database
    {
        return $this->database ??= Database::open($this->config);
    }

    public function settings(): AppConfig
    {
        return new AppConfig($this->database());
    }

    public function users(): Users
    {
        return new Users($this->database());
    }

    public function quota(): Quota
    {
        return new Quota($this->users(), $this->settings());
    }

    public function files(): Files
    {
        return new Files($this->dataFolder(), $this->database(), $this->quota());
    }

    public function cache(): ?Cache
    {
        return Cache::open($this->config);
    }

    public function dataFolder(): string
    {
        return (string) $this->config->get('datadirectory', dirname(__DIR__) . '/data');
    }
}
