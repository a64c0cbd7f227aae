//! What stands in scripts, settings, variables and arguments.

use serde_json::Value;

use super::Pod;
use crate::engine::context::TRUSTED_PROXIES;
use crate::engine::lookup::{items, name_of};
use crate::engine::object::RenderedObject;
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::pods::containers;

/// How options end whose value nobody but the program is to see.
const SECRET_OPTIONS: [&str; 8] = ["password", "passwd", "passphrase", "requirepass", "pass", "pwd", "secret", "token"];

/// What is wrong with the texts of a ConfigMap.
pub(super) fn of_config_map(plan: &Plan, object: &RenderedObject) -> Vec<Problem> {
    if object.kind != "ConfigMap" {
        return Vec::new();
    }
    let texts = object.value.get("data").and_then(Value::as_object).into_iter().flatten();
    let texts = texts.filter_map(|(key, text)| Some((format!("data.{key}"), text.as_str()?)));
    texts.flat_map(|(field, text)| of_text(plan, &field, text, true)).collect()
}

/// What is wrong with the variables and arguments of a pod's containers.
pub(super) fn of_pod(plan: &Plan, pod: &Pod<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (_, container, field) in containers(pod.spec, &pod.field) {
        for variable in items(container, "/env") {
            if let Some(text) = variable.get("value").and_then(Value::as_str) {
                problems.extend(of_text(plan, &format!("{field}.env[{}]", name_of(variable)), text, false));
            }
        }
        for list in ["command", "args"] {
            for text in items(container, &format!("/{list}")).iter().filter_map(Value::as_str) {
                problems.extend(of_text(plan, &format!("{field}.{list}"), text, true));
            }
        }
    }
    problems
}

fn of_text(plan: &Plan, field: &str, text: &str, is_run: bool) -> Vec<Problem> {
    let mut problems: Vec<Problem> = address_range(plan, text)
        .map(|range| {
            let message = format!(
                "{range} is written out, and pods have other addresses elsewhere: whom to believe is {{{{ exposure.trusted_proxies | join(sep=\" \") }}}}"
            );
            Problem::new(Rule::AddressRange, field, message)
        })
        .into_iter()
        .collect();
    if let Some((line, option)) = secret_option(text).filter(|_| is_run) {
        let message = format!(
            "line {line} gives {option} a value, which the process list shows to everybody on the node: let the program read a file or its environment"
        );
        problems.push(Problem::new(Rule::SecretInArguments, field, message));
    }
    problems
}

/// A range of addresses that a cluster's pods usually have, and that the Platform did not name.
fn address_range(plan: &Plan, text: &str) -> Option<&'static str> {
    let named = |range: &str| plan.exposure.trusted_proxies.iter().any(|known| known == range);
    let is_known = plan.exposure.trusted_proxies.is_empty();
    TRUSTED_PROXIES.into_iter().find(|range| !is_known && !named(range) && text.contains(range))
}

/// The first option of a line that takes a secret from a variable or a command: its line and itself.
fn secret_option(text: &str) -> Option<(usize, String)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    lines.into_iter().find_map(|(at, line)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let option = words.iter().enumerate().find_map(|(place, word)| {
            let (option, value) =
                word.split_once('=').map_or((*word, words.get(place + 1).copied()), |(o, v)| (o, Some(v)));
            let is_filled_in = value.is_some_and(|value| value.trim_start_matches(['"', '\'']).starts_with('$'));
            (is_secret_option(option) && is_filled_in).then(|| option.to_owned())
        })?;
        Some((at + 1, option))
    })
}

fn is_secret_option(word: &str) -> bool {
    let Some(name) = word.strip_prefix('-') else { return false };
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    !name.starts_with("no-") && SECRET_OPTIONS.iter().any(|secret| name.ends_with(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_is_given_a_secret_is_seen_and_a_files_name_is_not() {
        for (text, line) in [
            ("redis-server --requirepass \"$REDIS_PASSWORD\"", 1),
            ("set -eu\nmysqldump --password=$PASSWORD db", 2),
            ("occ user:add --client-secret='$(cat /oidc/client-secret)'", 1),
        ] {
            assert_eq!(secret_option(text).map(|(line, _)| line), Some(line), "{text}");
        }
        for text in [
            "# --password=$PASSWORD would show it",
            "psql --no-password \"$DATABASE\"",
            "occ user_oidc:provider --clientsecret-file=\"$folder/client-secret\"",
            "printf 'requirepass \"%s\"\\n' \"$REDIS_PASSWORD\"",
            "htpasswd -niB \"$ADMIN_USER\"",
            "",
        ] {
            assert_eq!(secret_option(text), None, "{text}");
        }
    }
}
