//! Warnings about an object: the newest that is about it as it is now.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;

/// So many seconds an Event may be older than what it came after: clocks differ, and times of
/// conditions are whole seconds.
const TOLERANCE: i64 = 5;

/// What Events are looked for about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    /// Its kind.
    pub(super) kind: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Its uid: an earlier object of that name is another one.
    pub(super) uid: Option<&'a str>,
    /// Since when it is in the state that it is in; what was said before is over.
    pub(super) since: Option<Timestamp>,
}

/// The newest warning about an object as it is now.
pub(super) fn newest<'a>(about: About<'_>, events: &[&'a Event], keep: impl Fn(&Event) -> bool) -> Option<&'a Event> {
    let counts = |event: &&&Event| is_about(event, about) && !is_over(event, about.since) && keep(event);
    events.iter().filter(counts).max_by_key(|event| time(event)).copied()
}

fn is_about(event: &Event, about: About<'_>) -> bool {
    let object = &event.involved_object;
    let same_uid = object.uid.as_deref().zip(about.uid).is_none_or(|(of, uid)| of == uid);
    object.name.as_deref() == Some(about.name) && object.kind.as_deref() == Some(about.kind) && same_uid
}

fn is_over(event: &Event, since: Option<Timestamp>) -> bool {
    let before = |(said, since): (Timestamp, Timestamp)| said.as_second() + TOLERANCE < since.as_second();
    time(event).zip(since).is_some_and(before)
}

/// Whether a warning was said in a later second, where one clock gives both times.
pub(super) fn is_said_after(event: &Event, since: Timestamp) -> bool {
    time(event).is_none_or(|said| said.as_second() > since.as_second())
}

fn time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    series.max(last).max(event.event_time.as_ref().map(|time| time.0))
}

/// What a storage driver or the kubelet said, its paths on the node cut to their last part: whoever
/// reads a status has no node to look at.
pub(super) fn without_directories(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find('/') {
        let (before, path) = rest.split_at(at);
        let begins = before
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || "\"'`(=[{<,".contains(c) || (c == ':' && !path.starts_with("//")));
        let end = path.find(|c: char| c.is_whitespace() || "\"'`)]}>,;:".contains(c)).unwrap_or(path.len());
        let (path, after) = path.split_at(end);
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        shown.push_str(before);
        if begins && path.matches('/').count() > 1 && !last.is_empty() {
            shown.push_str("…/");
            shown.push_str(last);
        } else {
            shown.push_str(path);
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("/var/lib/driver/volumes has room for 5 more bytes", "…/volumes has room for 5 more bytes"; "a path of the driver")]
    #[test_case("mount \"/var/lib/kubelet/pods/u/volumes/x\": no such file", "mount \"…/x\": no such file"; "a path in quotes")]
    #[test_case("Get \"https://example.org/a/b\": refused", "Get \"https://example.org/a/b\": refused"; "an address is no path")]
    #[test_case("image docker.io/local/a:1 and 3/4 of /tmp", "image docker.io/local/a:1 and 3/4 of /tmp"; "neither is an image")]
    #[test_case("volumes[/var/lib/driver/x.img]: nfs:/srv/tenants/x", "volumes[…/x.img]: nfs:…/x"; "in brackets, after a host")]
    #[test_case("/a/b/ and /c/d", "…/b and …/d"; "two of them")]
    fn a_path_on_the_node_is_cut_to_its_last_part(said: &str, shown: &str) {
        assert_eq!(without_directories(said), shown);
    }
}
