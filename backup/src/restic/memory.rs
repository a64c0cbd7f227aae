//! How much memory restic takes before it clears away what it does not need any more. By itself it takes about twice of
//! what it needs, and a million files would not be restored within a gigabyte.

/// Where a container finds what it may have, in bytes: by the present kernel's groups, and by the former ones.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// Nobody has so much: it stands for no limit.
const NO_LIMIT: u64 = 1 << 50;

/// The value of `GOMEMLIMIT`, in bytes; none where the container has no limit.
pub fn limit() -> Option<String> {
    LIMITS.iter().find_map(|path| of(&std::fs::read_to_string(path).ok()?))
}

/// The rest is for this program, and for what Go does not count.
fn of(text: &str) -> Option<String> {
    let bytes = text.trim().parse::<u64>().ok().filter(|bytes| *bytes < NO_LIMIT)?;
    Some((bytes / 4 * 3).to_string())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("1073741824\n" => Some("805306368".to_owned()); "a gigabyte")]
    #[test_case("max\n" => None; "none")]
    #[test_case("9223372036854771712\n" => None; "none, as the former groups say it")]
    #[test_case("" => None; "nothing")]
    fn three_quarters_of_a_limit_are_restics(text: &str) -> Option<String> {
        of(text)
    }
}
