<?php
declare(strict_types=1);

namespace StandIn;

/** Pages in Catalan and English, each of which says that this is a stand-in. */
final class Page
{
    public function __construct(private readonly Instance $instance)
    {
    }

    /** A page that says one thing. */
    public function notice(string $catalan, string $english): string
    {
        return $this->frame('<p>' . self::text($catalan) . '</p><p lang="en">' . self::text($english) . '</p>');
    }

    /** What the instance runs on and how full it is. `$visits` counts this person's. */
    public function front(int $visits): string
    {
        $folder = $this->instance->dataFolder();
        $total = (float) disk_total_space($folder);
        $free = (float) disk_free_space($folder);
        $cache = $this->instance->cache();
        $rows = [
            ['Versió', 'Version', Version::name()],
            ['Base de dades', 'Database', $this->instance->database()->server()],
            ['Memòria cau', 'Cache', $cache?->server() ?? '–'],
            ['Espai ocupat', 'Disk usage', self::size($total - $free) . ' / ' . self::size($total)],
            ['Persones', 'People', (string) count($this->instance->users()->all())],
            ['Visites', 'Visits', $visits . ' / ' . ($cache?->count('visits') ?? '–')],
        ];
        $table = '';
        foreach ($rows as [$catalan, $english, $value]) {
            $table .= '<tr><th>' . self::text($catalan) . ' · <span lang="en">' . self::text($english)
                . '</span></th><td>' . self::text($value) . '</td></tr>';
        }
        return $this->frame("<table>$table</table>");
    }

    private function frame(string $content): string
    {
        return <<<HTML
            <!DOCTYPE html>
            <html lang="ca">
            <head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Nextcloud (substitut · stand-in)</title>
            <style>
            body { font: 1.1rem/1.5 sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #222 }
            .what { background: #fff3cd; border-left: .4rem solid #e0a800; padding: .6rem 1rem }
            th { text-align: left; font-weight: normal; padding-right: 2rem; color: #555 }
            </style></head>
            <body>
            <h1>Oficina dedicada</h1>
            <div class="what">
            <p>Això <strong>no és Nextcloud</strong>: és un substitut que ocupa el seu lloc en proves i demostracions. No hi deseu res que us importi.</p>
            <p lang="en">This <strong>is not Nextcloud</strong>: it is a stand-in that takes its place in tests and demos. Keep nothing here that matters to you.</p>
            </div>
            $content
            </body>
            </html>

            HTML;
    }

    private static function text(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES);
    }

    private static function size(float $bytes): string
    {
        foreach (['B', 'KiB', 'MiB', 'GiB'] as $unit) {
            if ($bytes < 1024) {
                return round($bytes, 1) . " $unit";
            }
            $bytes /= 1024;
        }
        return round($bytes, 1) . ' TiB';
    }
}
