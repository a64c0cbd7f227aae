//! How much memory restic takes before it clears away what it does not need any more. By itself it takes about twice of
//! what it needs, and a million files would not be restored within a gigabyte.

/// Where a container finds what it may have, in bytes: by the present kernel's groups, and by the former ones.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// Nobody has so much: it stands for no limit.
const NO_LIMIT: u64 = 1 << 50;

/// The value of `GOMEMLIMIT`, in bytes, for each of so many that run at once; none where the container has no limit.
pub fn limit(among: u64) -> Option<String> {
    LIMITS.iter().find_map(|path| of(&std::fs::read_to_string(path).ok()?, among))
}

/// The rest is for this program, and for what Go does not count.
fn of(text: &str, among: u64) -> Option<String> {
    let bytes = text.trim().parse::<u64>().ok().filter(|bytes| *bytes < NO_LIMIT)?;
    Some((bytes / 4 * 3).checked_div(among)?.to_string())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("1073741824\n", 1 => Some("805306368".to_owned()); "a gigabyte")]
    #[test_case("1073741824\n", 2 => Some("402653184".to_owned()); "for two")]
    #[test_case("max\n", 1 => None; "none")]
    #[test_case("9223372036854771712\n", 1 => None; "none, as the former groups say it")]
    #[test_case("", 1 => None; "nothing")]
    fn three_quarters_of_a_limit_are_restics(text: &str, among: u64) -> Option<String> {
        of(text, among)
    }
}
