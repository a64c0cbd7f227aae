<?php
declare(strict_types=1);

namespace StandIn;

/** Ends a request with a status and a body. */
final class Answer
{
    public static function json(int $status, mixed $body): never
    {
        self::send($status, 'application/json', json_encode($body, JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR));
    }

    public static function text(int $status, string $body): never
    {
        self::send($status, 'text/plain; charset=utf-8', $body . "\n");
    }

    public static function html(int $status, string $body): never
    {
        self::send($status, 'text/html; charset=utf-8', $body);
    }

    /** An error as WebDAV clients read it. */
    public static function davError(int $status, string $exception, string $message): never
    {
        $message = htmlspecialchars($message, ENT_XML1 | ENT_QUOTES);
        self::send($status, 'application/xml; charset=utf-8', <<<XML
            <?xml version="1.0" encoding="utf-8"?>
            <d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">
              <s:exception>$exception</s:exception>
              <s:message>$message</s:message>
            </d:error>

            XML);
    }

    private static function send(int $status, string $type, string $body): never
    {
        http_response_code($status);
        header("Content-Type: $type");
        echo $body;
        exit;
    }
}
