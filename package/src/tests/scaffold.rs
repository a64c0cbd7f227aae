//! The package that `commonscloud template new` makes is good, and for each rule of the format a
//! copy with one fault is refused by that rule, at that line, and by no other.

use std::collections::BTreeMap;

use super::*;
use crate::format::findings::lint_text;

const FOLDER: &str = "cli/src/template/scaffold";
pub(super) const PACKAGE: &str = "package.yaml";
pub(super) const APP: &str = "manifests/app.yaml";
pub(super) const WEB: &str = "manifests/web.yaml";
pub(super) const NETWORK: &str = "manifests/network.yaml";

/// One fault put into the scaffold.
pub(super) struct Case {
    pub(super) rule: Rule,
    /// The file that is edited, what stands there, and what is put in its place (the first time).
    pub(super) edit: (&'static str, &'static str, &'static str),
    /// The file and the text of the line where the fault is reported.
    found: (&'static str, &'static str),
}

pub(super) const fn case(
    rule: Rule,
    edit: (&'static str, &'static str, &'static str),
    found: (&'static str, &'static str),
) -> Case {
    Case { rule, edit, found }
}

const TWO_VERSIONS: &str = "    - name: \"3\"\n      upgradesFrom: [\"2\"]\n      images:\n        - {name: app, reference: \"docker.io/local/radicale:3\"}\n    - name: \"2\"\n      images: [{name: web, reference: \"docker.io/local/radicale:2\"}]\n";
const OLD_VERSION: &str = "    - name: \"3\"\n      images:\n        - {name: app, reference: \"docker.io/local/radicale:3\"}\n    - name: \"2\"\n      images: [{name: app, reference: \"docker.io/local/radicale:2\"}]\n";
const OLDEST_FIRST: &str = "    - name: \"2\"\n      upgradesFrom: [\"3\"]\n      images: [{name: app, reference: \"docker.io/local/radicale:2\"}]\n    - name: \"3\"\n      upgradesFrom: [\"2\"]\n      images:\n        - {name: app, reference: \"docker.io/local/radicale:3\"}\n";
const ONE_VERSION: &str =
    "    - name: \"3\"\n      images:\n        - {name: app, reference: \"docker.io/local/radicale:3\"}\n";
const START_UP: &str = "          startupProbe:\n            httpGet: {path: /.web/, port: http}\n            periodSeconds: 2\n            failureThreshold: 60\n";
const READINESS: &str = "          readinessProbe:\n            httpGet: {path: /.web/, port: http}\n            periodSeconds: 10\n            timeoutSeconds: 5\n";
const NAME: &str = "name: {{ instance.name ~ \"-app\" }}";
const SERVICE: &str = "        - {kind: Service, name: app}\n";

const CASES: &[Case] = &[
    // The package's own fields.
    case(Rule::Yaml, (PACKAGE, "  name: example\n", "  name: example\n  name: again\n"), (PACKAGE, "name: again")),
    case(Rule::Document, (PACKAGE, "kind: ServiceTemplate", "kind: Template"), (PACKAGE, "kind: Template")),
    case(Rule::Document, (PACKAGE, "coop/v1alpha1", "coop/v1"), (PACKAGE, "apiVersion:")),
    case(Rule::File, (PACKAGE, "file: manifests/web.yaml", "file: manifests/wab.yaml"), (PACKAGE, "wab.yaml")),
    case(Rule::File, (PACKAGE, "file: manifests/web.yaml", "file: ../web.yaml"), (PACKAGE, "../web.yaml")),
    case(Rule::Schema, (PACKAGE, "statuses: [200]", "statuses: [99]"), (PACKAGE, "statuses: [99]")),
    case(Rule::Schema, (PACKAGE, "length: 32", "length: many"), (PACKAGE, "length: many")),
    case(Rule::UnknownField, (PACKAGE, "carriesQuota: true", "carriesQouta: true"), (PACKAGE, "carriesQouta")),
    case(Rule::UnknownField, (WEB, "targetPort: http", "targetPrt: http"), (WEB, "targetPrt")),
    case(Rule::PackageName, (PACKAGE, "  name: example\n", "  name: Example\n"), (PACKAGE, "name: Example")),
    case(
        Rule::Unique,
        (PACKAGE, "carriesQuota: true}\n", "carriesQuota: true}\n    - {name: data, size: 1Gi}\n"),
        (PACKAGE, "size: 1Gi}"),
    ),
    case(Rule::VersionImages, (PACKAGE, ONE_VERSION, TWO_VERSIONS), (PACKAGE, "name: web")),
    case(Rule::ImageTag, (PACKAGE, "radicale:3", "radicale:latest"), (PACKAGE, "radicale:latest")),
    case(
        Rule::UpgradeStep,
        (PACKAGE, "    - name: \"3\"\n", "    - name: \"3\"\n      upgradesFrom: [\"3\"]\n"),
        (PACKAGE, "upgradesFrom: ["),
    ),
    case(Rule::UpgradeStep, (PACKAGE, ONE_VERSION, OLDEST_FIRST), (PACKAGE, "upgradesFrom: [\"2\"]")),
    case(Rule::UpgradePath, (PACKAGE, ONE_VERSION, OLD_VERSION), (PACKAGE, "name: \"2\"")),
    case(
        Rule::VolumeSize,
        (PACKAGE, "carriesQuota: true}\n", "carriesQuota: true}\n    - {name: db, size: 1Gb}\n"),
        (PACKAGE, "size: 1Gb"),
    ),
    case(Rule::VolumeQuota, (PACKAGE, "size: quota, ", "size: quota / 2, "), (PACKAGE, "size: quota / 2")),
    case(
        Rule::VolumeGrowth,
        (PACKAGE, "carriesQuota: true}", "carriesQuota: true, growth: {maximum: quota * 2}}"),
        (PACKAGE, "growth: {maximum: quota * 2}"),
    ),
    case(
        Rule::VolumeGrowth,
        (
            PACKAGE,
            "carriesQuota: true}\n",
            "carriesQuota: true}\n    - {name: db, size: 2Gi, growth: {maximum: quota}}\n",
        ),
        (PACKAGE, "growth: {maximum: quota}"),
    ),
    case(
        Rule::VolumeGrowth,
        (
            PACKAGE,
            "carriesQuota: true}\n",
            "carriesQuota: true}\n    - {name: db, size: 2Gi, growth: {maximum: many}}\n",
        ),
        (PACKAGE, "growth: {maximum: many}"),
    ),
    case(Rule::SecretKey, (PACKAGE, "{name: password, length: 32}", "{name: password}"), (PACKAGE, "{name: password}")),
    case(Rule::ParameterSchema, (PACKAGE, "    type: object\n", "    type: array\n"), (PACKAGE, "type: array")),
    case(Rule::ParameterSchema, (PACKAGE, "        type: string\n", "        type: strin\n"), (PACKAGE, "type: strin")),
    case(Rule::ParametersClosed, (PACKAGE, "    additionalProperties: false\n", ""), (PACKAGE, "  parameters:")),
    case(Rule::ParameterExample, (PACKAGE, "- greeting: Els", "- greting: Els"), (PACKAGE, "greting: Els")),
    case(Rule::Kind, (PACKAGE, SERVICE, "        - {kind: ClusterRole, name: app}\n"), (PACKAGE, "ClusterRole")),
    case(Rule::Kind, (WEB, "kind: Service\n", "kind: Secret\n"), (WEB, "kind: Secret")),
    case(
        Rule::ObjectName,
        (PACKAGE, "{kind: Deployment, name: app}", "{kind: StatefulSet, name: abcdefghijklmnopqrstuv}"),
        (PACKAGE, "abcdefghijklmnopqrstuv"),
    ),
    case(
        Rule::Exception,
        (
            PACKAGE,
            "  manifests:\n",
            "  podSecurityExceptions:\n    - {container: app/other, reason: it changes its user}\n  manifests:\n",
        ),
        (PACKAGE, "app/other"),
    ),
    // Templates.
    case(Rule::TeraSyntax, (WEB, "{%- if exposure.ingress_class %}", "{%- if %}"), (WEB, "{%- if %}")),
    case(
        Rule::TeraTag,
        (WEB, "{%- if exposure.ingress_class %}", "{% set x = 1 %}{%- if exposure.ingress_class %}"),
        (WEB, "set x"),
    ),
    case(Rule::TeraName, (APP, "{{ files.prepare }}", "{{ files.prepare | safe }}"), (APP, "| safe")),
    case(Rule::TeraName, (APP, "{{ files.prepare }}", "{{ now() }}"), (APP, "now()")),
    case(Rule::TeraValue, (WEB, "- host: {{ hostname }}", "- host: {{ hostnme }}"), (WEB, "hostnme")),
    case(
        Rule::TeraBounds,
        (APP, "  prepare.sh:", "{%- for a in range(end=100000) %}{% endfor %}\n  prepare.sh:"),
        (APP, "range("),
    ),
    // Which objects there are.
    case(
        Rule::RenderedYaml,
        (APP, "  prepare.sh: {{ files.prepare }}\n", "  prepare.sh: {{ files.prepare }}\n  prepare.sh: again\n"),
        (APP, "prepare.sh: again"),
    ),
    case(Rule::NamePrefix, (WEB, NAME, "name: app"), (WEB, "kind: Service")),
    case(Rule::Undeclared, (WEB, NAME, "name: {{ instance.name ~ \"-web\" }}"), (WEB, "kind: Service")),
    case(
        Rule::Unrendered,
        (PACKAGE, SERVICE, "        - {kind: Service, name: app}\n        - {kind: Service, name: more}\n"),
        (PACKAGE, "name: more"),
    ),
    case(Rule::ApiVersion, (APP, "apiVersion: apps/v1", "apiVersion: apps/v1beta1"), (APP, "kind: Deployment")),
    case(Rule::Namespace, (WEB, "  labels:", "  namespace: kube-system\n  labels:"), (WEB, "namespace: kube-system")),
    case(Rule::Metadata, (WEB, "  labels:", "  finalizers: [a/b]\n  labels:"), (WEB, "finalizers:")),
    case(Rule::FieldType, (APP, "containerPort: 8080", "containerPort: \"8080\""), (APP, "containerPort:")),
    case(Rule::Selector, (WEB, "selector: {{ selector(component=\"app\") }}", "selector: {app: a}"), (WEB, "{app: a}")),
    case(
        Rule::PodLabels,
        (APP, "      labels: {{ labels(component=\"app\") }}", "      labels: {{ labels(component=\"web\") }}"),
        (APP, "component=\"web\""),
    ),
    // Networks.
    case(
        Rule::Closed,
        (
            NETWORK,
            "policyTypes: [Ingress, Egress]\n  ingress: []\n  egress: []",
            "policyTypes: [Ingress]\n  ingress: []",
        ),
        (PACKAGE, "  manifests:"),
    ),
    case(
        Rule::PolicyTypes,
        (NETWORK, "policyTypes: [Ingress]\n", "policyTypes: [Ingress, Egress]  # both\n"),
        (NETWORK, "# both"),
    ),
    case(Rule::Peers, (NETWORK, "from: {{ network.ingress | json_encode }}", "from: []"), (NETWORK, "from: []")),
    case(
        Rule::Peers,
        (NETWORK, "from: {{ network.ingress | json_encode }}", "from: [{ipBlock: {cidr: 0.0.0.0/0}}]"),
        (NETWORK, "0.0.0.0/0"),
    ),
    case(
        Rule::Peers,
        (NETWORK, "from: {{ network.ingress | json_encode }}", "from: [{ipBlock: {cidr: 128.0.0.0/1}}]"),
        (NETWORK, "128.0.0.0/1"),
    ),
    case(
        Rule::Peers,
        (NETWORK, "from: {{ network.ingress | json_encode }}", "from: [{ipBlock: {cidr: \"::ffff:0:0/96\"}}]"),
        (NETWORK, "::ffff:0:0/96"),
    ),
    case(
        Rule::Peers,
        (
            NETWORK,
            "from: {{ network.ingress | json_encode }}",
            "from: [{ipBlock: {cidr: 192.0.2.0/24, except: [198.51.100.0/25]}}]",
        ),
        (NETWORK, "198.51.100.0/25"),
    ),
    case(
        Rule::Peers,
        (
            NETWORK,
            "policyTypes: [Ingress]\n",
            "policyTypes: [Ingress, Egress]\n  egress: [{to: [{ipBlock: {cidr: \"::/0\"}}], ports: [{port: 443}]}]\n",
        ),
        (NETWORK, "::/0"),
    ),
    case(Rule::Ports, (NETWORK, "\n      ports:\n        - {port: 8080, protocol: TCP}", ""), (NETWORK, "  ingress:")),
    case(Rule::ServiceInside, (WEB, "  selector:", "  type: NodePort\n  selector:"), (WEB, "NodePort")),
    case(Rule::IngressHost, (WEB, "- host: {{ hostname }}", "- host: other.example.org"), (WEB, "- host: other")),
    case(Rule::IngressTls, (WEB, "hosts: [{{ hostname }}]", "hosts: [other.example.org]"), (WEB, "tls:")),
    case(
        Rule::IngressBackend,
        (WEB, "service: {name: {{ instance.name ~ \"-app\" }}", "service: {name: other"),
        (WEB, "backend:"),
    ),
    case(
        Rule::IngressAnnotation,
        (WEB, "    cert-manager.io", "    nginx.ingress.kubernetes.io/server-alias: x\n    cert-manager.io"),
        (WEB, "annotations:"),
    ),
    case(
        Rule::IngressAnnotation,
        (WEB, "    cert-manager.io", "    nginx.ingress.kubernetes.io/proxy-buffer-size: 8k; x\n    cert-manager.io"),
        (WEB, "annotations:"),
    ),
    case(
        Rule::IngressAnnotation,
        (WEB, "issuer: {{ exposure.cluster_issuer }}", "issuer: other"),
        (WEB, "annotations:"),
    ),
    // Pods.
    case(Rule::Pod, (APP, "      containers:\n        - name: app\n", "        - name: app\n"), (APP, "    spec:")),
    case(Rule::Token, (APP, "      automountServiceAccountToken: false\n", ""), (APP, "    spec:")),
    case(
        Rule::ServiceAccount,
        (APP, "enableServiceLinks:", "serviceAccountName: default\n      enableServiceLinks:"),
        (APP, "serviceAccountName:"),
    ),
    case(Rule::PodField, (APP, "enableServiceLinks:", "nodeName: a\n      enableServiceLinks:"), (APP, "nodeName:")),
    case(Rule::Claim, (APP, "claimName: {{ volumes.data }}", "claimName: other"), (APP, "claimName: other")),
    case(Rule::OneWriter, (APP, "strategy: {type: Recreate}", "strategy: {type: RollingUpdate}"), (APP, "strategy:")),
    case(Rule::OneWriter, (APP, "replicas: 1", "replicas: 2"), (APP, "replicas: 2")),
    case(
        Rule::ConfigMap,
        (APP, "configMap: {name: {{ instance.name ~ \"-app\" }}}", "configMap: {name: other}"),
        (APP, "configMap: {name: other}"),
    ),
    case(
        Rule::ConfigMap,
        (
            APP,
            "configMap: {name: {{ instance.name ~ \"-app\" }}}",
            "projected: {sources: [{configMap: {name: other}}]}",
        ),
        (APP, "configMap: {name: other}"),
    ),
    case(
        Rule::ConfigMap,
        (APP, "secretKeyRef: {name: {{ secrets.admin }}, key: username}", "configMapKeyRef: {name: other, key: a}"),
        (APP, "configMapKeyRef: {name: other"),
    ),
    case(
        Rule::ConfigMap,
        (
            APP,
            "          args: [--config",
            "          envFrom: [{configMapRef: {name: other}}]\n          args: [--config",
        ),
        (APP, "configMapRef: {name: other}"),
    ),
    case(Rule::Secret, (APP, "name: {{ secrets.admin }}", "name: other"), (APP, "secretKeyRef: {name: other")),
    case(
        Rule::SecretInArguments,
        (APP, "command: [/bin/sh, /config/prepare.sh]", "command: [/bin/sh, -c, $(ADMIN_PASSWORD)]"),
        (APP, "$(ADMIN_PASSWORD)"),
    ),
    case(
        Rule::SecretInOpen,
        (APP, "valueFrom: {secretKeyRef: {name: {{ secrets.admin }}, key: password}}", "value: hunter2"),
        (APP, "name: ADMIN_PASSWORD"),
    ),
    case(Rule::Image, (APP, "image: {{ images.app }}", "image: docker.io/other:1"), (APP, "docker.io/other:1")),
    case(
        Rule::Resources,
        (
            APP,
            "resources: {{ resources.app | json_encode }}",
            "resources: {requests: {memory: 1Mi}, limits: {memory: 1Mi}}",
        ),
        (APP, "resources: {requests: {memory: 1Mi}"),
    ),
    case(Rule::Probes, (APP, START_UP, ""), (APP, "livenessProbe:")),
    case(Rule::Probes, (APP, READINESS, ""), (APP, "      containers:")),
    case(
        Rule::ConfiguredBy,
        (PACKAGE, "  manifests:\n", "  configuredBy: [app/other]\n  manifests:\n"),
        (PACKAGE, "app/other"),
    ),
    case(
        Rule::TerminationMessage,
        (APP, "          terminationMessagePolicy: FallbackToLogsOnError\n", ""),
        (APP, "- name: prepare"),
    ),
    case(
        Rule::TerminationMessage,
        (APP, "terminationMessagePolicy: FallbackToLogsOnError", "terminationMessagePolicy: File"),
        (APP, "terminationMessagePolicy: File"),
    ),
    case(
        Rule::Baseline,
        (APP, "enableServiceLinks:", "hostNetwork: true\n      enableServiceLinks:"),
        (APP, "hostNetwork:"),
    ),
    case(Rule::Baseline, (APP, "emptyDir: {sizeLimit: 64Mi}", "hostPath: {path: /}"), (APP, "hostPath:")),
    case(Rule::VolumeType, (APP, "emptyDir: {sizeLimit: 64Mi}", "nfs: {server: a, path: /}"), (APP, "nfs:")),
    case(
        Rule::Restricted,
        (APP, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        (APP, "allowPrivilegeEscalation: true"),
    ),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(operation_cases::CASES).chain(offered::CASES)
}

/// The scaffold's files by name.
pub(super) fn scaffold() -> BTreeMap<String, String> {
    let folder = source(FOLDER);
    [PACKAGE, APP, WEB, NETWORK, "files/prepare.sh"]
        .into_iter()
        .map(|name| (name.to_owned(), std::fs::read_to_string(folder.join(name)).unwrap()))
        .collect()
}

pub(super) fn findings(files: &BTreeMap<String, String>) -> Vec<Finding> {
    lint_text(PACKAGE, &files[PACKAGE], |name| {
        files
            .get(name)
            .cloned()
            .ok_or_else(|| DirectoryError::Read { path: name.into(), source: std::io::ErrorKind::NotFound.into() })
    })
}

#[test]
fn the_scaffold_is_good() {
    assert_eq!(lint(&source(FOLDER)).unwrap(), []);
    assert_eq!(findings(&scaffold()), []);
}

/// The scaffold without its operations, which would be as wrong as a volume that is put into it: those of cases come
/// with them.
fn without_operations() -> BTreeMap<String, String> {
    let mut files = scaffold();
    let package = files.get_mut(PACKAGE).unwrap();
    let (begin, end) =
        (package.find("  operations:\n").unwrap(), package.find("  files:\n    - {name: prepare").unwrap());
    package.replace_range(begin..end, "");
    files
}

#[test]
fn each_rule_refuses_its_fault_at_its_line_and_nothing_else() {
    let mut wrong = Vec::new();
    for Case { rule, edit: (file, from, to), found: (found_file, place) } in cases() {
        let mut files = without_operations();
        let text = files.get_mut(*file).unwrap();
        assert!(text.contains(from), "{rule}: {file} has no {from:?}");
        *text = text.replacen(from, to, 1);
        let found = findings(&files);
        let good = found.len() == 1
            && found[0].rule == *rule
            && found[0].file == *found_file
            && files[*found_file].lines().nth(found[0].line - 1).is_some_and(|line| line.contains(place));
        if !good {
            wrong.push(format!("{rule} ({to:?}), expected at {found_file} {place:?}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case() {
    for rule in Rule::ALL {
        assert!(cases().any(|case| case.rule == *rule), "no case shows what the rule {rule} refuses");
    }
}

#[test]
fn names_and_texts_of_rules_are_each_their_own() {
    for texts in
        [Rule::ALL.iter().map(|rule| rule.name()).collect::<Vec<_>>(), Rule::ALL.iter().map(|r| r.asks()).collect()]
    {
        let mut once = texts.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), texts.len());
    }
}
