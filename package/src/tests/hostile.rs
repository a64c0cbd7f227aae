//! What people write never becomes more than a value.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::plan::Plan;

/// A plan of Radicale whose free texts are all this text.
fn plan(package: &Package, text: &str) -> Option<Plan> {
    let parameters = package.validate_parameters(&json!({"realm": text})).ok()?;
    let mut plan = sample::plan(package, &package.versions()[0], parameters, Surroundings::Full).unwrap();
    plan.entity.display_name = text.to_owned();
    Some(plan)
}

/// A package that prints every text it can get, in every place that a text can have.
fn echo() -> Package {
    let mut template = radicale();
    template.spec.parameters = json!({"type": "object", "additionalProperties": false, "properties": {"realm": {"type": "string", "default": ""}}});
    let manifest = &mut template.spec.manifests[1];
    manifest.template = manifest.template.replacen(
        "\ndata:\n",
        "\ndata:\n  name: {{ entity.display_name }}\n  flow: {{ {\"a\": [entity.display_name]} | json_encode | json_encode }}\n  {{ \"k\" ~ (entity.display_name | sha256) }}: {{ parameters.realm }}\n",
        1,
    );
    compiled(&template)
}

fn checked(package: &Package, text: &str) {
    let Some(plan) = plan(package, text) else { return };
    let set = render(&plan).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(set.objects.len(), 6, "{text:?}");
    let map = set.objects.iter().find(|object| object.kind == "ConfigMap").unwrap();
    let data = map.value["data"].as_object().unwrap();
    assert_eq!(data["name"], json!(text));
    let flow: Value = serde_json::from_str(data["flow"].as_str().unwrap()).unwrap();
    assert_eq!(flow, json!({"a": [text]}));
    assert_eq!(data.iter().find(|(key, _)| key.starts_with('k')).unwrap().1, &json!(text));
}

#[test]
fn texts_that_mean_something_elsewhere_are_only_texts() {
    let package = echo();
    for text in [
        "",
        " ",
        "a\n---\nkind: Secret",
        "\"",
        "'",
        "\\",
        "\\\"",
        "}}",
        "{{ instance.name }}",
        "{% raw %}",
        "{# a #}",
        "# a",
        "a # b",
        "a: b",
        "- a",
        "&a",
        "*a",
        "!!binary a",
        "<<",
        "null",
        "~",
        "true",
        "no",
        "1_000",
        "0755",
        "1e3",
        ".inf",
        "0x10",
        "2001-01-01",
        "\t",
        "\r\n",
        "\u{0}",
        "\u{7}",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{d7ff}",
        "\u{10ffff}",
        "🌱",
        "L'Hort",
        "%",
        "$(HOME)",
        "|",
        ">",
        "@",
        "`",
        "?",
        ",",
        "[",
        "]",
        sample::HOSTILE,
        &"x".repeat(60_000),
        &"\n".repeat(5_000),
    ] {
        checked(&package, text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_only_a_text(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}|.{0,40}") {
        checked(&echo_once(), &text);
    }

    #[test]
    fn no_template_makes_it_panic(text in "(\\{\\{|\\}\\}|\\{%|%\\}|for|if|in|end|[a-z .|~()\"'\n-]){0,40}") {
        let mut template = radicale();
        template.spec.manifests[1].template.push_str(&text);
        let _ = Package::compile("radicale", &template.spec);
    }
}

fn echo_once() -> Package {
    static PACKAGE: std::sync::OnceLock<Package> = std::sync::OnceLock::new();
    PACKAGE.get_or_init(echo).clone()
}

#[test]
fn work_and_output_are_bounded() {
    for template in [
        "{% for a in range(end=256) %}{% for b in range(end=256) %}{% for c in range(end=256) %}{% endfor %}{% endfor %}{% endfor %}".to_owned(),
        "{% for a in range(end=256) %}x: {{ entity.display_name | replace(from=\"\", to=entity.display_name) }}{% endfor %}".to_owned(),
        format!("a: {}", "[".repeat(60_000)),
        format!("a: {{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
        "a: &a [1]\nb: *a\n".to_owned(),
        "a: !!python/object b\n".to_owned(),
        format!("{}x", "{% if true %}".repeat(4_000)),
    ] {
        let mut package = radicale();
        package.spec.manifests[1].template = template.clone();
        let begun = std::time::Instant::now();
        assert!(Package::compile("radicale", &package.spec).is_err(), "{}", &template[..40]);
        assert!(begun.elapsed().as_secs() < 20, "{}", &template[..40]);
    }
}

#[test]
fn a_long_text_in_every_turn_of_a_loop_ends_in_an_error() {
    let mut template = radicale();
    template.spec.parameters = json!({"type": "object", "additionalProperties": false, "properties": {"realm": {"type": "string", "default": ""}}});
    template.spec.manifests[1].template.push_str("{% for a in range(end=200) %}# {{ parameters.realm }}\n{% endfor %}");
    let package = compiled(&template);
    let error = render(&plan(&package, &"x".repeat(20_000)).unwrap()).unwrap_err();
    assert!(error.to_string().contains("app.yaml: renders to more than"), "{error}");
}

#[test]
fn parameters_are_checked_and_defaults_filled_in() {
    let package = compiled(&builtin()[0]);
    let filled = package
        .validate_parameters(&json!({"oidc": {"issuer": "https://id.example.org", "clientSecretName": "a"}}))
        .unwrap();
    assert_eq!(filled["oidc"]["groupsClaim"], "groups");
    assert_eq!(package.validate_parameters(&Value::Null).unwrap(), json!({}));
    for (bad, place) in [
        (json!({"other": 1}), "other"),
        (json!({"phoneRegion": "es"}), "phoneRegion: "),
        (json!({"oidc": {"issuer": "http://id.example.org", "clientSecretName": "a"}}), "oidc.issuer: "),
        (json!({"oidc": {"issuer": "https://id'.example.org", "clientSecretName": "a"}}), "oidc.issuer: "),
        (json!([]), "object"),
        (json!({"defaultUserQuota": "x".repeat(70_000)}), "bytes"),
    ] {
        let error = package.validate_parameters(&bad).unwrap_err();
        assert!(error.to_string().contains(place), "{error}");
    }
}
