<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/** As much of WebDAV as moving files in and out takes. */
final class Dav
{
    public function __construct(private readonly Instance $instance)
    {
    }

    public function answer(string $method, string $address): never
    {
        $uid = $this->authenticate();
        $path = $this->path($uid, $address);
        if ($path === '' && $method !== 'PROPFIND') {
            Answer::davError(405, 'Sabre\DAV\Exception\MethodNotAllowed', 'The folder itself cannot be replaced');
        }
        match ($method) {
            'PUT' => $this->put($uid, $path),
            'GET', 'HEAD' => $this->get($uid, $path, $method === 'HEAD'),
            'DELETE' => $this->delete($uid, $path),
            'MKCOL' => $this->makeFolder($uid, $path),
            'PROPFIND' => $this->describe($uid, $path),
            default => Answer::davError(405, 'Sabre\DAV\Exception\MethodNotAllowed', "There is no $method here"),
        };
    }

    private function authenticate(): string
    {
        $uid = $_SERVER['PHP_AUTH_USER'] ?? '';
        if ($uid === '' || !$this->instance->users()->check($uid, $_SERVER['PHP_AUTH_PW'] ?? '')) {
            header('WWW-Authenticate: Basic realm="Nextcloud stand-in", charset="UTF-8"');
            Answer::davError(401, 'Sabre\DAV\Exception\NotAuthenticated', 'Wrong user or password');
        }
        return $uid;
    }

    /** The path below the person's own folder; nobody reaches another's. */
    private function path(string $uid, string $address): string
    {
        $path = match (true) {
            preg_match('#^/webdav(?:/(.*))?$#s', $address, $match) === 1 => $match[1] ?? '',
            preg_match('#^/dav/files/([^/]+)(?:/(.*))?$#s', $address, $match) === 1 && $match[1] === $uid => $match[2] ?? '',
            default => Answer::davError(404, 'Sabre\DAV\Exception\NotFound', "$address is not there"),
        };
        $path = trim($path, '/');
        if (strpbrk($path, "\0\\") !== false || array_intersect(explode('/', $path), ['.', '..', '']) !== ($path === '' ? [''] : [])) {
            Answer::davError(400, 'Sabre\DAV\Exception\BadRequest', 'The path is not allowed');
        }
        return $path;
    }

    private function put(string $uid, string $path): never
    {
        $length = $_SERVER['CONTENT_LENGTH'] ?? '';
        try {
            $body = fopen('php://input', 'rb');
            $isNew = $this->instance->files()->put($uid, $path, $body, ctype_digit($length) ? (int) $length : null);
        } catch (InsufficientStorage $error) {
            Answer::davError(507, 'Sabre\DAV\Exception\InsufficientStorage', $error->getMessage());
        } catch (RuntimeException $error) {
            Answer::davError($error->getCode() ?: 500, 'Sabre\DAV\Exception', $error->getMessage());
        }
        header('OC-ETag: "' . $this->instance->files()->find($uid, $path)['sha256'] . '"');
        http_response_code($isNew ? 201 : 204);
        exit;
    }

    private function get(string $uid, string $path, bool $withoutBody): never
    {
        $row = $this->instance->files()->find($uid, $path) ?? $this->notFound($path);
        header('Content-Type: application/octet-stream');
        header('Content-Length: ' . $row['size']);
        header("OC-Checksum: SHA256:{$row['sha256']}");
        if (!$withoutBody) {
            readfile($this->instance->files()->place($uid, $path));
        }
        exit;
    }

    private function delete(string $uid, string $path): never
    {
        $this->instance->files()->find($uid, $path) ?? $this->notFound($path);
        $this->instance->files()->delete($uid, $path);
        http_response_code(204);
        exit;
    }

    private function makeFolder(string $uid, string $path): never
    {
        $folder = $this->instance->files()->place($uid, $path);
        if (is_dir($folder)) {
            Answer::davError(405, 'Sabre\DAV\Exception\MethodNotAllowed', 'The folder exists already');
        }
        if (!@mkdir($folder, 0750, !str_contains($path, '/'))) {
            Answer::davError(409, 'Sabre\DAV\Exception\Conflict', 'Parent node does not exist');
        }
        http_response_code(201);
        exit;
    }

    /** All files of the person with their sizes, and what is left of the quota. */
    private function describe(string $uid, string $path): never
    {
        $quota = $this->instance->quota()->of($uid);
        $used = $this->instance->files()->used($uid);
        $left = $quota === null ? -3 : max(0, $quota - $used);
        $prefix = '/remote.php/dav/files/' . rawurlencode($uid) . '/';
        $answers = "<d:response><d:href>$prefix</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype>"
            . "<d:quota-used-bytes>$used</d:quota-used-bytes><d:quota-available-bytes>$left</d:quota-available-bytes>"
            . '</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>';
        foreach ($this->instance->files()->all($uid) as $row) {
            $name = substr($row['path'], strlen('files/'));
            if ($path !== '' && $name !== $path && !str_starts_with($name, "$path/")) {
                continue;
            }
            $href = $prefix . implode('/', array_map('rawurlencode', explode('/', $name)));
            $answers .= "<d:response><d:href>$href</d:href><d:propstat><d:prop><d:resourcetype/>"
                . "<d:getcontentlength>{$row['size']}</d:getcontentlength><d:getetag>\"{$row['sha256']}\"</d:getetag>"
                . '</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>';
        }
        http_response_code(207);
        header('Content-Type: application/xml; charset=utf-8');
        echo "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\">$answers</d:multistatus>\n";
        exit;
    }

    private function notFound(string $path): never
    {
        Answer::davError(404, 'Sabre\DAV\Exception\NotFound', "File with name $path could not be located");
    }
}
