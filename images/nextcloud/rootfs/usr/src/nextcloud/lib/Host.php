<?php
declare(strict_types=1);

namespace StandIn;

/** The host name of a request, and whether it is one of the instance's. */
final class Host
{
    public function __construct(private readonly Config $config)
    {
    }

    /** The name that was asked for, as a trusted proxy passes it on. */
    public function name(): string
    {
        $overwritten = (string) $this->config->get('overwritehost', '');
        if ($overwritten !== '') {
            return $overwritten;
        }
        $forwarded = $_SERVER['HTTP_X_FORWARDED_HOST'] ?? '';
        if ($forwarded !== '' && $this->isTrustedProxy($_SERVER['REMOTE_ADDR'] ?? '')) {
            return trim(explode(',', $forwarded)[0]);
        }
        return $_SERVER['HTTP_HOST'] ?? '';
    }

    public function isTrusted(): bool
    {
        if ((string) $this->config->get('overwritehost', '') !== '') {
            return true;
        }
        $name = self::withoutPort($this->name());
        if (in_array($name, ['localhost', '127.0.0.1', '[::1]'], true)) {
            return true;
        }
        foreach ((array) $this->config->get('trusted_domains', []) as $trusted) {
            $pattern = str_replace('\*', '[-.a-zA-Z0-9]*', preg_quote(self::withoutPort((string) $trusted), '/'));
            if (preg_match("/^$pattern\$/i", $name) === 1) {
                return true;
            }
        }
        return false;
    }

    private function isTrustedProxy(string $address): bool
    {
        foreach ((array) $this->config->get('trusted_proxies', []) as $proxy) {
            if (self::contains((string) $proxy, $address)) {
                return true;
            }
        }
        return false;
    }

    /** Whether an address lies in a range such as 10.0.0.0/8, or is the same address. */
    private static function contains(string $range, string $address): bool
    {
        [$network, $bits] = array_pad(explode('/', $range, 2), 2, null);
        $network = @inet_pton($network);
        $address = @inet_pton($address);
        if ($network === false || $address === false || strlen($network) !== strlen($address)) {
            return false;
        }
        $bits = min((int) ($bits ?? 128), strlen($network) * 8);
        $binary = fn (string $bytes): string => implode('', array_map(
            fn (string $byte): string => sprintf('%08b', ord($byte)),
            str_split($bytes),
        ));
        return substr($binary($network), 0, $bits) === substr($binary($address), 0, $bits);
    }

    private static function withoutPort(string $name): string
    {
        return (string) preg_replace('/:[0-9]+$/', '', $name);
    }
}
