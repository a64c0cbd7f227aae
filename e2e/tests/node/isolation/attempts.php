<?php
// Tries all addresses at once, each in a process of its own. Prints a line of JSON for each: its
// number and what was answered, or the error number and the reason why there was no connection.
// Run by `php -r`, with the attempts as JSON in its argument.

const SECONDS = 2;

function attempt(array $attempt): array
{
    $tls = ['verify_peer' => false, 'verify_peer_name' => false, 'peer_name' => $attempt['name']];
    $context = stream_context_create(['ssl' => $tls]);
    $stream = @stream_socket_client($attempt['address'], $error, $reason, SECONDS, STREAM_CLIENT_CONNECT, $context);
    if ($stream === false) {
        return ['error' => $error, 'reason' => $reason];
    }
    stream_set_timeout($stream, SECONDS);
    fwrite($stream, base64_decode($attempt['ask']));
    $answer = '';
    do {
        $part = (string) fread($stream, 8192);
        $answer .= $part;
        $holds = str_contains($answer, $attempt['until']);
    } while ($part !== '' && !$holds);
    return ['holds' => $holds, 'answer' => substr($answer, 0, 200)];
}

foreach (json_decode($argv[1], true) as $number => $attempt) {
    if (pcntl_fork() === 0) {
        $line = json_encode(['number' => $number] + attempt($attempt), JSON_INVALID_UTF8_SUBSTITUTE);
        // In one write, so that lines do not mix.
        fwrite(STDOUT, "$line\n");
        exit(0);
    }
}
while (pcntl_wait($status) > 0) {
}
