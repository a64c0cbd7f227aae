//! What a package says of its containers: which keep to less than *restricted*, which apply settings.

use super::rules::GOOD;
use crate::format::findings::lint_text;

#[test]
fn an_exception_lifts_restricted_but_not_baseline() {
    let except = "  podSecurityExceptions: [{container: app/notes, reason: it changes its user}]\n  manifests:";
    let with = |from: &str, to: &str| {
        let text = GOOD.replacen("  manifests:", except, 1).replacen(from, to, 1);
        lint_text("notes.yaml", &text, |_| unreachable!("all is in one file"))
    };
    assert_eq!(with("runAsUser: 1000", "runAsUser: 0"), []);
    assert_eq!(with("capabilities: {drop: [ALL]}", "capabilities: {add: [CHOWN]}"), []);
    assert!(!with("capabilities: {drop: [ALL]}", "capabilities: {add: [NET_ADMIN]}").is_empty());
    assert!(!with("allowPrivilegeEscalation: false", "privileged: true").is_empty());
}

#[test]
fn a_container_that_applies_settings_tells_why_not_and_is_never_killed() {
    const READY: &str = "readinessProbe: {tcpSocket: {port: http}}";
    let with = |probe: &str| {
        let text = GOOD.replacen("  manifests:", "  configuredBy: [app/notes]\n  manifests:", 1);
        let probes = [READY, "startupProbe: {tcpSocket: {port: http}}", &format!("livenessProbe: {probe}")];
        let text = text.replacen(READY, &probes.join("\n                  "), 1);
        let found = lint_text("notes.yaml", &text, |_| unreachable!("all is in one file"));
        found.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
    };
    assert_eq!(with("{exec: {command: [cat, /run/failed]}, failureThreshold: 1000000}"), Vec::<String>::new());
    for kills in ["{exec: {command: [cat, /run/failed]}}", "{tcpSocket: {port: http}, failureThreshold: 1000000}"] {
        assert!(with(kills)[0].contains("needs a livenessProbe with exec"), "{kills}");
    }
}
