//! The annotations that an Ingress may have. Ingress controllers, DNS and certificate issuers take them
//! for orders, so what nobody has looked at is refused.

use serde_json::Value;

use crate::engine::lookup::texts;
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;

/// Which of the platform's issuers makes the certificate.
pub(crate) const ISSUER: &str = "cert-manager.io/cluster-issuer";
/// How large a request ingress-nginx takes in.
pub(crate) const BODY_SIZE: &str = "nginx.ingress.kubernetes.io/proxy-body-size";

/// Of ingress-nginx: how much it takes in at once, and how long it waits.
const NGINX: [&str; 11] = [
    "nginx.ingress.kubernetes.io/client-body-buffer-size",
    BODY_SIZE,
    "nginx.ingress.kubernetes.io/proxy-buffer-size",
    "nginx.ingress.kubernetes.io/proxy-buffering",
    "nginx.ingress.kubernetes.io/proxy-buffers-number",
    "nginx.ingress.kubernetes.io/proxy-connect-timeout",
    "nginx.ingress.kubernetes.io/proxy-http-version",
    "nginx.ingress.kubernetes.io/proxy-max-temp-file-size",
    "nginx.ingress.kubernetes.io/proxy-read-timeout",
    "nginx.ingress.kubernetes.io/proxy-request-buffering",
    "nginx.ingress.kubernetes.io/proxy-send-timeout",
];

/// Put on by the operator.
const OPERATOR: &str = "commonscloud.coop/";

/// Whether an Ingress may have the annotation: it leads nobody elsewhere and lets nobody in.
pub fn is_ingress_annotation(key: &str) -> bool {
    key == ISSUER || NGINX.contains(&key) || key.starts_with(OPERATOR)
}

/// The annotations of an Ingress that are not for packages.
pub(crate) fn problems(plan: &Plan, value: &Value) -> Vec<Problem> {
    let annotations = texts(value.pointer("/metadata/annotations"));
    let wrong = annotations.into_iter().filter_map(|(key, text)| wrong(plan, key, text));
    wrong.map(|message| Problem::new(Rule::IngressAnnotation, "metadata.annotations", message)).collect()
}

fn wrong(plan: &Plan, key: &str, text: &str) -> Option<String> {
    if !is_ingress_annotation(key) {
        let instead = "redirects and sign-in are the application's, other host names and issuers the Platform's";
        return Some(format!("{key} is not for packages: {instead}; allowed: {ISSUER}, {}", NGINX.join(", ")));
    }
    if key == ISSUER {
        let issuer = plan.exposure.tls.as_ref().and_then(|tls| tls.cluster_issuer.as_deref());
        return (issuer != Some(text)).then(|| format!("{key} must be {{{{ exposure.cluster_issuer }}}}"));
    }
    // It becomes a line of the controller's own configuration.
    let one_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (NGINX.contains(&key) && !one_word).then(|| format!("{key} must be a number, a size, on or off; it is {text:?}"))
}
