//! What an exit code of restic and its last words mean.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::json;
use crate::report::{Failure, FailureReason};

/// It has words for why.
pub const FAILED: i32 = 1;
/// Of `backup`: a snapshot was made, without what could not be read.
pub const INCOMPLETE: i32 = 3;
const NO_REPOSITORY: i32 = 10;
const LOCKED: i32 = 11;
const WRONG_KEY: i32 = 12;

/// Where restic has no exit code of its own it has words, or the server has. The first that fits counts.
const WORDS: &[(FailureReason, &[&str])] = &[
    (
        FailureReason::TargetFull,
        &["no space left on device", "insufficient storage", "disk quota exceeded", "quotaexceeded", "(507)"],
    ),
    (
        FailureReason::CredentialsRefused,
        &[
            "401 unauthorized",
            "403 forbidden",
            "(401)",
            "(403)",
            "access denied",
            "accessdenied",
            "invalidaccesskeyid",
            "access key id you provided",
            "signature we calculated",
            "signaturedoesnotmatch",
            "no credentials found",
            "($aws_access_key_id) is empty",
            "($aws_secret_access_key) is empty",
            "permission denied (publickey",
        ],
    ),
    (
        FailureReason::Unreachable,
        &[
            "connection refused",
            "connection reset",
            "connection timed out",
            "could not resolve",
            "host key verification failed",
            "i/o timeout",
            "network is unreachable",
            "specified bucket does not exist",
            "no route to host",
            "no such host",
            "server misbehaving",
            "tls handshake",
            "tls: ",
            "x509: ",
            "server gave http response to https client",
            "502 bad gateway",
            "503 service unavailable",
        ],
    ),
    (FailureReason::FormatTooNew, &["unsupported repository version"]),
    (FailureReason::NoRepository, &["repository already contains keys"]),
    // Not damage: it was forgotten.
    (FailureReason::Other, &["failed to find snapshot"]),
    (
        FailureReason::Damaged,
        &[
            "ciphertext verification failed",
            "no such file or directory",
            "specified key does not exist",
            "> does not exist",
            "repository contains errors",
            "invalid data returned",
            "does not match id",
            "hash mismatch",
            "wrong hash",
            "unexpected content",
            "unexpected eof",
            "not found in repository",
            "not found in index",
            "not in index",
            "zero size, invalid repository",
            "file too short",
            "file is too short",
            "unexpected size",
        ],
    ),
    (FailureReason::HalfStream, &["command failed: "]),
];

/// Of an SSH server restic says no more than that its end came early; ssh has said why.
const NO_SESSION: &str = "unable to start the sftp session";

/// What restic repeats of ssh begins with it.
const OF_SSH: &str = "subprocess ";
/// So much of it is told.
const MOST_OF_SSH: usize = 300;

/// Whether ssh ended before restic could repeat why.
pub fn is_unheard(failure: &Failure) -> bool {
    failure.message.contains(NO_SESSION) && !failure.message.contains(OF_SSH)
}

/// The failure of a call that ended by itself.
pub fn failure(name: &str, status: ExitStatus, words: &str) -> Failure {
    let mut told = told(words);
    let reason = match status.code() {
        Some(NO_REPOSITORY) => FailureReason::NoRepository,
        Some(LOCKED) => FailureReason::Locked,
        Some(WRONG_KEY) => FailureReason::WrongKey,
        _ if told.contains(NO_SESSION) => {
            by_words(words).filter(|reason| *reason != FailureReason::Damaged).unwrap_or(FailureReason::Unreachable)
        }
        _ => by_words(&told).or_else(|| by_words(words)).unwrap_or(FailureReason::Other),
    };
    let ended = match (status.code(), status.signal()) {
        (Some(INCOMPLETE), _) => "not all could be read".to_owned(),
        (Some(_), _) if !told.is_empty() => String::new(),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(9)) => "killed (out of memory?)".to_owned(),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
    };
    let of_ssh = words.lines().rev().find(|line| line.starts_with(OF_SSH));
    if let Some(why) = of_ssh.filter(|_| told.contains(NO_SESSION)) {
        told = format!("{told}: {}", why.chars().take(MOST_OF_SSH).collect::<String>());
    }
    Failure::new(reason, without_credentials(&format!("restic {name}: {ended} {told}")))
}

/// The failure of a call whose deadline passed: what it was waiting for says why.
pub fn late(name: &str, deadline: Duration, words: &str) -> Failure {
    // What it repeated says why; what it says when it is ended does not.
    let told = words.lines().rev().find(|line| line.contains("retrying after")).unwrap_or_default();
    // What it was killed in the middle of is not why.
    let reason = by_words(words).filter(|reason| *reason != FailureReason::HalfStream);
    let reason = reason.unwrap_or(FailureReason::TimedOut);
    let seconds = deadline.as_secs();
    Failure::new(reason, without_credentials(&format!("restic {name}: not done after {seconds} s {told}")))
}

/// Of all its words those that say why.
fn told(words: &str) -> String {
    let problem = json::problems(words).next();
    let plain =
        || words.lines().rev().find(|line| !line.starts_with('{') && !line.trim().is_empty()).map(str::to_owned);
    let end = json::exit_error(words).map(|text| text.trim_start_matches("Fatal: ").to_owned());
    match (end, problem) {
        (Some(end), Some(problem)) if !end.contains(problem.trim()) => format!("{end}: {problem}"),
        (Some(end), _) => end,
        (None, _) => plain().unwrap_or_default(),
    }
}

fn by_words(text: &str) -> Option<FailureReason> {
    let text = text.to_lowercase();
    let fits = |(_, words): &&(FailureReason, &[&str])| words.iter().any(|word| text.contains(word));
    WORDS.iter().find(fits).map(|(reason, _)| *reason)
}

/// The text without passwords: neither those of URLs nor those that this program was given.
pub fn without_credentials(text: &str) -> String {
    let given = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RESTIC_REST_PASSWORD", "RESTIC_PASSWORD"];
    let given = given.iter().filter_map(|name| std::env::var(name).ok());
    let key = std::env::var("RESTIC_PASSWORD_FILE").ok().and_then(|file| std::fs::read_to_string(file).ok());
    let secrets: Vec<String> = given.chain(key).map(|secret| secret.trim().to_owned()).collect();
    hidden(text, &secrets)
}

/// The text without these secrets, and without the passwords of URLs.
pub fn hidden(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() > 3) {
        text = text.replace(secret, "***");
    }
    let mut rest = text.as_str();
    let mut plain = String::with_capacity(rest.len());
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let authority = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        plain.push_str(before);
        rest = match after[..authority].rfind('@') {
            Some(user) if after[..user].contains(':') => {
                plain.push_str("***");
                &after[user..]
            }
            _ => after,
        };
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn ended(code: i32, words: &str) -> Failure {
        failure("backup", ExitStatus::from_raw(code << 8), words)
    }

    fn exit_error(message: &str) -> String {
        format!("{}\n", serde_json::json!({"message_type": "exit_error", "code": 1, "message": message}))
    }

    #[test_case(10 => FailureReason::NoRepository)]
    #[test_case(11 => FailureReason::Locked)]
    #[test_case(12 => FailureReason::WrongKey)]
    #[test_case(1 => FailureReason::Other)]
    #[test_case(3 => FailureReason::Other)]
    fn exit_codes_count_before_words(code: i32) -> FailureReason {
        ended(code, "").reason
    }

    #[test_case("Fatal: unable to open config file: Stat: Access Denied." => FailureReason::CredentialsRefused)]
    #[test_case("Fatal: unexpected HTTP response (401): 401 Unauthorized" => FailureReason::CredentialsRefused)]
    #[test_case("Fatal: unable to save snapshot: write /r/data/x: no space left on device" => FailureReason::TargetFull)]
    #[test_case("Fatal: dial tcp 127.0.0.1:1: connect: connection refused" => FailureReason::Unreachable)]
    #[test_case("Stat: The request signature we calculated does not match the signature you provided." => FailureReason::CredentialsRefused)]
    #[test_case("Stat: The specified bucket does not exist." => FailureReason::Unreachable)]
    #[test_case("Fatal: repository contains errors" => FailureReason::Damaged)]
    #[test_case("Fatal: unable to save snapshot: failed to save /dump: Fatal: command failed: exit status 1" => FailureReason::HalfStream)]
    #[test_case("Fatal: config: unsupported repository version" => FailureReason::FormatTooNew)]
    #[test_case("Fatal: failed to find snapshot: open /r/snapshots/0: no such file or directory" => FailureReason::Other)]
    #[test_case("ReadFull(<data/0c45>): open /r/data/0c/0c45: no such file or directory" => FailureReason::Damaged)]
    #[test_case("something new" => FailureReason::Other)]
    fn words_count_where_there_is_no_code(message: &str) -> FailureReason {
        ended(1, &exit_error(message)).reason
    }

    #[test]
    fn why_ssh_ended_is_told_and_unheard_where_restic_did_not_repeat_it() {
        let end = exit_error("Fatal: unable to start the sftp session, error: read |0: file already closed");
        let heard = ended(1, &format!("subprocess ssh: Permission denied (publickey).\n{end}"));
        assert_eq!(heard.reason, FailureReason::CredentialsRefused);
        assert!(heard.message.contains("Permission denied") && !is_unheard(&heard), "{heard}");
        let unheard = ended(1, &end);
        assert!(unheard.reason == FailureReason::Unreachable && is_unheard(&unheard), "{unheard}");
        assert!(!is_unheard(&ended(1, &exit_error("Fatal: dial tcp 127.0.0.1:1: connect: connection refused"))));
    }

    #[test]
    fn what_could_not_be_read_is_named() {
        let error = serde_json::json!({"message_type": "error", "error": {"message": "permission denied"}, "item": "/volumes/a"});
        let failure =
            ended(3, &format!("{error}\n{}", exit_error("Warning: at least one source file could not be read")));
        assert!(failure.message.contains("/volumes/a: permission denied"), "{failure}");
    }

    #[test]
    fn a_full_target_is_not_taken_for_half_a_stream() {
        let words =
            exit_error("Fatal: unable to save snapshot: unexpected HTTP response (507): 507 Insufficient Storage");
        let words = format!("subprocess x: command failed: signal: killed\n{words}");
        assert_eq!(ended(1, &words).reason, FailureReason::TargetFull);
    }

    #[test]
    fn a_deadline_names_what_was_waited_for() {
        let words = format!(
            "Stat(<config/>) returned error, retrying after 1.2s: dial tcp: connection refused\nsignal terminated received\n{}",
            exit_error("Fatal: unable to open config file: context canceled")
        );
        let failure = late("cat", Duration::from_secs(20), &words);
        assert_eq!(failure.reason, FailureReason::Unreachable);
        assert!(failure.message.contains("20 s") && failure.message.contains("refused"), "{failure}");
        assert_eq!(late("cat", Duration::from_secs(20), "").reason, FailureReason::TimedOut);
    }

    #[test]
    fn a_killed_restic_says_so() {
        let failure = failure("backup", ExitStatus::from_raw(9), "");
        assert!(failure.message.contains("out of memory"), "{failure}");
    }

    #[test_case("at rest:http://me:pa/", "at rest:http://me:pa/"; "no user")]
    #[test_case("at rest:http://me:hunter2@host/x: no", "at rest:http://***@host/x: no"; "a user")]
    #[test_case("two http://a:b@c https://d:e@f/@", "two http://***@c https://***@f/@"; "two")]
    #[test_case("sftp://me@host/x", "sftp://me@host/x"; "a user without a password")]
    #[test_case("the key hunter2 is in it", "the key *** is in it"; "a word that was given")]
    fn credentials_are_not_told(text: &str, told: &str) {
        assert_eq!(hidden(text, &["hunter2".to_owned(), String::new()]), told);
    }
}
