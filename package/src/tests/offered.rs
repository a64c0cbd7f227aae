//! What only a package that is offered is asked: a case for each rule, for `scaffold.rs`; and a revision
//! that runs is not asked.

use super::scaffold::{APP, Case, NETWORK, PACKAGE, WEB, case, findings, scaffold};
use super::*;
use crate::format::directory;

const CLOSED: &str = "policyTypes: [Ingress]\n";
const LITERAL_PORT: &str = "policyTypes: [Ingress, Egress]\n{%- if network.dns %}\n  egress:\n    - to: {{ network.dns | json_encode }}\n      ports: [{port: 53, protocol: UDP}]\n{%- else %}\n  egress: []\n{%- endif %}\n";
const WITHOUT_COMPONENT: &str = "policyTypes: [Ingress, Egress]\n  egress:\n    - to: [{podSelector: {matchLabels: {{ selector(component=\"db\") }}}}]\n      ports: [{port: 5432}]\n";
const ISSUER: &str = "{%- if exposure.cluster_issuer %}\n    cert-manager.io/cluster-issuer: {{ exposure.cluster_issuer }}\n{%- endif %}\n";
const BESIDE: &str = "        - name: beside\n          image: {{ images.app }}\n          terminationMessagePolicy: FallbackToLogsOnError\n          command: [/bin/sh, /config/prepare.sh]\n          resources: {{ resources.app | json_encode }}\n          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}\n      volumes:\n";

pub(super) const CASES: &[Case] = &[
    // Images and figures.
    case(Rule::ImageTag, (PACKAGE, "radicale:3", "radicale:stable"), (PACKAGE, "radicale:stable")),
    case(Rule::ImageBase, (PACKAGE, "local/radicale:3", "library/postgres:16"), (PACKAGE, "postgres:16")),
    case(Rule::Figures, (PACKAGE, "limits: {memory", "limits: {cpu: \"1\", memory"), (PACKAGE, "limits: {cpu")),
    case(Rule::Figures, (PACKAGE, "memory: 64Mi", "memory: 512Mi"), (PACKAGE, "memory: 512Mi")),
    // Networks.
    case(Rule::PlatformPorts, (NETWORK, CLOSED, LITERAL_PORT), (NETWORK, "ports: [{port: 53")),
    case(Rule::ContainerPort, (NETWORK, CLOSED, WITHOUT_COMPONENT), (NETWORK, "to: [")),
    case(Rule::ContainerPort, (NETWORK, "{port: 8080", "{port: 8081"), (NETWORK, "ports:")),
    case(
        Rule::ContainerPort,
        (NETWORK, "selector(component=\"app\")", "selector(component=\"web\")"),
        (NETWORK, "podSelector:"),
    ),
    case(
        Rule::ContainerPort,
        (WEB, "selector(component=\"app\")", "selector(component=\"web\")"),
        (WEB, "component=\"web\""),
    ),
    case(Rule::ContainerPort, (WEB, "targetPort: http", "targetPort: web"), (WEB, "targetPort: web")),
    case(
        Rule::ContainerPort,
        (APP, "            tcpSocket: {port: http}", "            tcpSocket: {port: 9090}"),
        (APP, "livenessProbe:"),
    ),
    // Ingresses, and orders to others.
    case(Rule::IngressBackend, (WEB, "port: {name: http}", "port: {name: web}"), (WEB, "port: {name: web}")),
    case(
        Rule::IngressClass,
        (WEB, "ingressClassName: {{ exposure.ingress_class }}", "ingressClassName: nginx"),
        (WEB, "nginx"),
    ),
    case(
        Rule::IngressTls,
        (WEB, "secretName: {{ exposure.tls_secret }}", "secretName: mine"),
        (WEB, "secretName: mine"),
    ),
    case(Rule::IngressTls, (WEB, ISSUER, ""), (WEB, "annotations:")),
    case(Rule::RequestSize, (WEB, "proxy-body-size: \"0\"", "proxy-buffer-size: 8k"), (WEB, "annotations:")),
    case(Rule::Orders, (APP, "commonscloud.coop/config:", "k8s.v1.cni.cncf.io/networks:"), (APP, "      annotations:")),
    case(
        Rule::Orders,
        (
            WEB,
            "labels: {{ labels(component=\"app\") }}",
            "annotations: {external-dns.alpha.kubernetes.io/hostname: a.org}",
        ),
        (WEB, "external-dns"),
    ),
    // Pods.
    case(
        Rule::NamedSecret,
        (
            APP,
            "secretKeyRef: {name: {{ secrets.admin }}, key: password}",
            "secretKeyRef: {name: {{ parameters.greeting }}, key: password}",
        ),
        (APP, "name: ADMIN_PASSWORD"),
    ),
    case(
        Rule::SecretInArguments,
        (
            APP,
            "command: [/bin/sh, /config/prepare.sh]",
            "command: [/bin/sh, -c, 'server --requirepass \"$ADMIN_PASSWORD\"']",
        ),
        (APP, "--requirepass"),
    ),
    case(
        Rule::Scratch,
        (
            APP,
            "resources: {{ resources.app | json_encode }}",
            "resources: {requests: {cpu: 1m, memory: 1Mi}, limits: {memory: 1Mi, ephemeral-storage: 1Mi}}",
        ),
        (APP, "resources: {requests"),
    ),
    case(Rule::Scratch, (PACKAGE, "ephemeral-storage: 256Mi", "ephemeral-storage: 64Mi"), (APP, "      volumes:")),
    case(Rule::EmptyDir, (APP, "emptyDir: {sizeLimit: 64Mi}", "emptyDir: {}"), (APP, "emptyDir: {}")),
    case(
        Rule::EmptyDir,
        (APP, "emptyDir: {medium: Memory, sizeLimit: 1Mi}", "emptyDir: {medium: Memory, sizeLimit: 0Mi}"),
        (APP, "sizeLimit: 0Mi"),
    ),
    case(Rule::AddressRange, (APP, "\"[storage]", "\"proxies = 10.0.0.0/8\\n[storage]"), (APP, "config: {{")),
    case(Rule::Probes, (APP, "      volumes:\n", BESIDE), (APP, "- name: beside")),
];

#[test]
fn a_revision_that_runs_is_not_asked_what_a_package_is_asked_that_is_offered() {
    for Case { rule, edit: (file, from, to), .. } in CASES {
        let mut files = scaffold();
        let text = files.get_mut(*file).unwrap();
        *text = text.replacen(from, to, 1);
        assert_eq!(findings(&files).len(), 1, "{rule}");
        let read = |name: &str| Ok(files[name].clone());
        let template = directory::parse(&files[PACKAGE], read).unwrap_or_else(|faults| panic!("{rule}: {faults:?}"));
        let revision = Package::of_revision("example", &template.spec);
        assert!(revision.is_ok(), "{rule}: {:?}", revision.err());
    }
}
