//! Each rule of the format: a good package with one thing changed is refused at that line.

use test_case::test_case;

use super::*;
use crate::format::findings::lint_text;

/// A package with every kind of thing in it, good.
pub(super) const GOOD: &str = r#"apiVersion: commonscloud.coop/v1alpha1
kind: ServiceTemplate
metadata:
  name: notes
spec:
  title: {en: Notes}
  versions:
    - name: "2.0"
      upgradesFrom: ["1.*"]
      images:
        - {name: notes, reference: "docker.io/example/notes:2.0"}
  components:
    - name: app
      resources:
        requests: {cpu: 10m, memory: 32Mi, ephemeral-storage: 16Mi}
        limits: {memory: 64Mi, ephemeral-storage: 64Mi}
  volumes:
    - {name: data, size: quota, carriesQuota: true}
    - {name: cache, size: 1Gi}
  secrets:
    - name: admin
      keys: [{name: password, length: 32}]
  parameters:
    type: object
    additionalProperties: false
    properties:
      greeting: {type: string, maxLength: 200, default: hello}
  manifests:
    - name: app.yaml
      objects:
        - {kind: ConfigMap, name: app}
        - {kind: ServiceAccount, name: app}
        - {kind: Service, name: app}
        - {kind: Deployment, name: app}
        - {kind: Ingress, name: app}
        - {kind: NetworkPolicy, name: app}
      template: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: {{ instance.name ~ "-app" }}}
        data:
          greeting: {{ parameters.greeting }}
          entity: {{ entity.display_name }}
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: {{ instance.name ~ "-app" }}}
        automountServiceAccountToken: false
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: {{ instance.name ~ "-app" }}}
        spec:
          selector: {{ selector(component="app") }}
          ports: [{name: http, port: 80, targetPort: http}]
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: {{ instance.name ~ "-app" }}}
        spec:
          strategy: {type: Recreate}
          selector: {matchLabels: {{ selector(component="app") }}}
          template:
            metadata: {labels: {{ labels(component="app") }}}
            spec:
              automountServiceAccountToken: false
              serviceAccountName: {{ instance.name ~ "-app" }}
              securityContext:
                runAsNonRoot: true
                runAsUser: 1000
                seccompProfile: {type: RuntimeDefault}
              containers:
                - name: notes
                  image: {{ images.notes }}
                  terminationMessagePolicy: FallbackToLogsOnError
                  args: [serve]
                  env:
                    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: {{ secrets.admin }}, key: password}}}
                  ports: [{name: http, containerPort: 8080}]
                  resources: {{ resources.app | json_encode }}
                  readinessProbe: {tcpSocket: {port: http}}
                  securityContext:
                    allowPrivilegeEscalation: false
                    capabilities: {drop: [ALL]}
                  volumeMounts: [{name: data, mountPath: /data}]
              volumes:
                - {name: data, persistentVolumeClaim: {claimName: {{ volumes.data }}}}
        ---
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata:
          name: {{ instance.name ~ "-app" }}
          annotations:
            nginx.ingress.kubernetes.io/proxy-body-size: "0"
        {%- if exposure.cluster_issuer %}
            cert-manager.io/cluster-issuer: {{ exposure.cluster_issuer }}
        {%- endif %}
        spec:
        {%- if exposure.ingress_class %}
          ingressClassName: {{ exposure.ingress_class }}
        {%- endif %}
          tls:
            - hosts: [{{ hostname }}]
        {%- if exposure.tls_secret %}
              secretName: {{ exposure.tls_secret }}
        {%- endif %}
          rules:
            - host: {{ hostname }}
              http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: {{ instance.name ~ "-app" }}, port: {name: http}}}}]}
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: {{ instance.name ~ "-app" }}}
        spec:
          podSelector: {matchLabels: {{ selector() }}}
          policyTypes: [Ingress, Egress]
          ingress: []
          egress: []
"#;

/// The findings in the good package with `from` replaced by `to`.
fn findings(from: &str, to: &str) -> (String, Vec<Finding>) {
    assert!(GOOD.contains(from), "the good package has no {from:?}");
    let text = GOOD.replacen(from, to, 1);
    let findings = lint_text("notes.yaml", &text, |_| unreachable!("all is in one file"));
    (text, findings)
}

#[test]
fn the_good_package_is_good() {
    assert_eq!(findings("notes", "notes").1, []);
}

// The package's own fields.
#[test_case("  name: notes", "  name: Notes", "  name: Notes", "at most 30")]
#[test_case("versions:", "versoins:", "", "versions")]
#[test_case("carriesQuota: true", "carriesQouta: true", "carriesQouta", "no such field")]
#[test_case("notes:2.0", "notes:latest", "notes:latest", "needs a tag")]
#[test_case("notes:2.0", "notes", "example/notes\"", "needs a tag")]
#[test_case("\"1.*\"", "\"2.*\"", "upgradesFrom", "name older versions")]
#[test_case(
    "  versions:\n",
    "  versions:\n    - {name: \"1.0\", images: [{name: notes, reference: \"docker.io/example/notes:1.0\"}]}\n",
    "upgradesFrom",
    "\"1.0\" stands before it in the list: the newest version stands first"
)]
#[test_case("name: cache", "name: data", "name: data", "twice")]
#[test_case("size: 1Gi", "size: 1Gb", "name: cache", "character")]
#[test_case("size: 1Gi", "size: quota - 1Gi", "name: cache", "it is 0")]
#[test_case("size: quota", "size: quota / 2", "name: data", "has the size quota")]
#[test_case("size: 1Gi", "size: quota, carriesQuota: true", "name: cache", "only one")]
#[test_case("type: object", "type: string", "type: string", "type: object")]
#[test_case("type: string", "type: strin", "type: strin", "parameters")]
#[test_case(
    "additionalProperties: false",
    "additionalProperties: false\n    required: [name]",
    "parameters:",
    "example"
)]
#[test_case("{kind: Service, name: app}", "{kind: Secret, name: app}", "{kind: Secret", "not allowed")]
#[test_case(
    "  manifests:",
    "  podSecurityExceptions: [{container: other/notes, reason: because of this}]\n  manifests:",
    "other/notes",
    "names no container"
)]
// Tera.
#[test_case("{{ parameters.greeting }}", "{{ parameters.greting }}", "greting", "not defined")]
#[test_case("{{ parameters.greeting }}", "{{ parameters.greeting", "entity.display_name", "expected }}")]
#[test_case("{{ parameters.greeting }}", "{{ parameters.greeting | safe }}", "| safe", "not part of the format")]
#[test_case("{{ parameters.greeting }}", "{% set x = 1 %}{{ x }}", "set x", "not part of the format")]
#[test_case("{{ parameters.greeting }}", "{% include \"/etc/passwd\" %}", "include", "not part of the format")]
#[test_case("{{ parameters.greeting }}", "{{ get_env(name=\"HOME\") }}", "get_env", "get_env")]
#[test_case("{{ parameters.greeting }}", "{% for i in range(end=100000) %}{{ i }}{% endfor %}", "range", "at most 256")]
// Which objects there are.
#[test_case(
    "metadata: {name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {name: app}",
    "kind: ConfigMap",
    "instance.name ~"
)]
#[test_case("- {kind: ConfigMap, name: app}", "", "kind: ConfigMap", "do not declare")]
#[test_case(
    "- {kind: Service, name: app}",
    "- {kind: Service, name: app}\n        - {kind: Service, name: web}",
    "kind: Service",
    "does not render"
)]
#[test_case("kind: ServiceAccount\n", "kind: Secret\n", "kind: Secret", "not allowed")]
#[test_case("apiVersion: apps/v1", "apiVersion: apps/v1beta1", "kind: Deployment", "must be apps/v1")]
#[test_case(
    "metadata: {name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {namespace: kube-system, name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {",
    "namespace"
)]
#[test_case(
    "metadata: {name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {finalizers: [a/b], name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {",
    "finalizers"
)]
#[test_case(
    "metadata: {name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {labels: {commonscloud.coop/data: \"true\"}, name: {{ instance.name ~ \"-app\" }}}",
    "metadata: {",
    "commonscloud.coop/data"
)]
#[test_case("targetPort: http", "targetPrt: http", "targetPrt", "no such field")]
#[test_case("containerPort: 8080", "containerPort: \"8080\"", "containerPort", "must be a whole number")]
#[test_case("greeting: {{ parameters.greeting }}", "greeting: a\n          greeting: b", "greeting: b", "no YAML")]
// Selectors and networks.
#[test_case(
    "selector: {{ selector(component=\"app\") }}",
    "selector: {app: notes}",
    "selector: {app",
    "selector(component"
)]
#[test_case(
    "matchLabels: {{ selector(component=\"app\") }}}\n          template",
    "matchLabels: {{ labels(component=\"app\") }}}\n          template",
    "matchLabels: {{ labels",
    "nothing else"
)]
#[test_case(
    "labels: {{ labels(component=\"app\") }}",
    "labels: {{ labels(component=\"web\") }}",
    "labels(component=\"web\")",
    "same component"
)]
#[test_case(
    "spec:\n          selector",
    "spec:\n          type: NodePort\n          selector",
    "type: NodePort",
    "ClusterIP"
)]
#[test_case(
    "spec:\n          selector",
    "spec:\n          externalIPs: [10.0.0.1]\n          selector",
    "externalIPs",
    "not for packages"
)]
#[test_case("- host: {{ hostname }}", "- host: other.example.org", "- host: other", "must be {{ hostname }}")]
#[test_case("hosts: [{{ hostname }}]", "hosts: [other.example.org]", "tls:", "no other host")]
#[test_case("- hosts: [{{ hostname }}]", "- hosts: []", "tls:", "needs an entry")]
#[test_case(
    "service: {name: {{ instance.name ~ \"-app\" }}",
    "service: {name: other",
    "service: {name: other",
    "a Service that the package declares"
)]
#[test_case("egress: []", "egress: [{}]", "egress: [{}]", "means everybody")]
#[test_case("egress: []", "egress: [{to: {{ network.dns | json_encode }}}]", "egress: [{to", "means everybody")]
#[test_case("egress: []", "egress: [{to: [{podSelector: {}}]}]", "egress: [{to", "must be {{ selector")]
#[test_case("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "policyTypes", "exactly when")]
// Pods.
#[test_case("              automountServiceAccountToken: false\n", "", "spec:", "automountServiceAccountToken")]
#[test_case(
    "        automountServiceAccountToken: false\n",
    "",
    "kind: ServiceAccount",
    "automountServiceAccountToken"
)]
#[test_case(
    "serviceAccountName: {{ instance.name ~ \"-app\" }}",
    "serviceAccountName: default",
    "serviceAccountName",
    "declares"
)]
#[test_case("image: {{ images.notes }}", "image: docker.io/other/image:1", "image: docker", "an image of the package")]
#[test_case(
    "resources: {{ resources.app | json_encode }}",
    "resources: {limits: {memory: 1Gi}}",
    "resources: {limits",
    "needs requests.cpu"
)]
#[test_case("args: [serve]", "args: [\"--password=$(PASSWORD)\"]", "args:", "process list")]
#[test_case(
    "valueFrom: {secretKeyRef: {name: {{ secrets.admin }}, key: password}}",
    "value: hunter2",
    "value: hunter2",
    "in the open"
)]
#[test_case("{{ secrets.admin }}", "other", "secretKeyRef", "not one of the package's")]
#[test_case(
    "claimName: {{ volumes.data }}",
    "claimName: other",
    "persistentVolumeClaim",
    "a volume that the package declares"
)]
#[test_case(
    "persistentVolumeClaim: {claimName: {{ volumes.data }}}",
    "hostPath: {path: /}",
    "hostPath",
    "not an allowed volume type"
)]
#[test_case(
    "persistentVolumeClaim: {claimName: {{ volumes.data }}}",
    "configMap: {name: other}",
    "configMap",
    "a ConfigMap that the package declares"
)]
#[test_case(
    "persistentVolumeClaim: {claimName: {{ volumes.data }}}",
    "projected: {sources: [{serviceAccountToken: {path: t}}]}",
    "projected",
    "no service account token"
)]
#[test_case("serviceAccountName:", "hostNetwork: true\n              serviceAccountName:", "hostNetwork", "baseline")]
#[test_case("serviceAccountName:", "hostPID: true\n              serviceAccountName:", "hostPID", "baseline")]
#[test_case(
    "serviceAccountName:",
    "priorityClassName: system-node-critical\n              serviceAccountName:",
    "priorityClassName",
    "not for packages"
)]
#[test_case(
    "runAsUser: 1000",
    "runAsUser: 1000\n                sysctls: [{name: kernel.msgmax, value: \"1\"}]",
    "sysctls",
    "not a safe one"
)]
#[test_case("containerPort: 8080", "containerPort: 8080, hostPort: 80", "hostPort", "baseline")]
#[test_case(
    "allowPrivilegeEscalation: false",
    "allowPrivilegeEscalation: false\n                    privileged: true",
    "privileged: true",
    "baseline"
)]
#[test_case(
    "capabilities: {drop: [ALL]}",
    "capabilities: {drop: [ALL], add: [SYS_ADMIN]}",
    "capabilities",
    "may add NET_BIND_SERVICE"
)]
#[test_case("capabilities: {drop: [ALL]}", "readOnlyRootFilesystem: true", "securityContext:", "drop: [ALL]")]
#[test_case(
    "allowPrivilegeEscalation: false",
    "readOnlyRootFilesystem: true",
    "securityContext:",
    "allowPrivilegeEscalation"
)]
#[test_case("runAsNonRoot: true", "runAsGroup: 1000", "securityContext:", "runAsNonRoot")]
#[test_case("runAsUser: 1000", "runAsUser: 0", "securityContext:", "not 0")]
#[test_case(
    "seccompProfile: {type: RuntimeDefault}",
    "seccompProfile: {type: Unconfined}",
    "seccompProfile",
    "RuntimeDefault"
)]
#[test_case("seccompProfile: {type: RuntimeDefault}", "runAsGroup: 1000", "securityContext:", "seccompProfile")]
fn one_thing_wrong_is_refused_at_its_line(from: &str, to: &str, place: &str, message: &str) {
    let (text, findings) = findings(from, to);
    let found = findings.iter().find(|finding| finding.message.contains(message));
    let found = found.unwrap_or_else(|| panic!("no finding says {message:?}: {findings:#?}"));
    assert_eq!(found.file, "notes.yaml");
    let shown = text.lines().nth(found.line - 1).unwrap();
    assert!(shown.contains(place), "{found}\nshows: {shown}");
}

#[test]
fn a_folder_is_linted_with_the_names_of_its_files() {
    for folder in ["templates/office", "examples/templates/radicale.yaml"] {
        assert_eq!(lint(&source(folder)).unwrap(), [], "{folder}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (head, template) = GOOD.split_once("      template: |\n").unwrap();
    std::fs::create_dir(folder.path().join("manifests")).unwrap();
    std::fs::write(folder.path().join("package.yaml"), format!("{head}      file: manifests/app.yaml\n")).unwrap();
    let lines: Vec<_> = template.lines().map(|line| line.strip_prefix("        ").unwrap()).collect();
    let template = lines.join("\n") + "\n";
    std::fs::write(
        folder.path().join("manifests/app.yaml"),
        template.replace("args: [serve]", "args: [serve]\n          tty: yes!"),
    )
    .unwrap();
    let found = lint(folder.path()).unwrap();
    assert_eq!(found[0].file, "manifests/app.yaml", "{found:?}");
    std::fs::write(folder.path().join("manifests/app.yaml"), template.replace("hostname }}\n", "hostnme }}\n"))
        .unwrap();
    let found = lint(folder.path()).unwrap();
    let line = template.lines().position(|line| line.contains("- host: {{ hostname")).unwrap() + 1;
    assert!(found[0].to_string().starts_with(&format!("manifests/app.yaml:{line}: ")), "{found:?}");
    std::fs::write(folder.path().join("package.yaml"), head.to_owned() + "      file: ../../etc/passwd\n").unwrap();
    assert!(lint(folder.path()).unwrap()[0].message.contains("must lie in the package's folder"));
}
