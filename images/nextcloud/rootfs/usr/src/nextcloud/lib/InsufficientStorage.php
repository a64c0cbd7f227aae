<?php
declare(strict_types=1);

namespace StandIn;

use RuntimeException;

/** The volume is full, or the person's quota is used up. */
final class InsufficientStorage extends RuntimeException
{
}
