//! Slips of the pen that everybody makes: each is shown at its line, with what was meant or what is
//! allowed there.

use super::scaffold::{APP, PACKAGE, WEB, findings, scaffold};

/// One slip in the scaffold.
struct Slip {
    /// The file, what stands there, and what is written in its place (the first time).
    edit: (&'static str, &'static str, &'static str),
    /// The text of the line where it is shown, in the same file.
    line: &'static str,
    /// What is said there.
    says: &'static str,
}

const fn slip(edit: (&'static str, &'static str, &'static str), line: &'static str, says: &'static str) -> Slip {
    Slip { edit, line, says }
}

const SLIPS: &[Slip] = &[
    // Indentation.
    slip((PACKAGE, "        limits: {", "      limits: {"), "limits: {", "there are: name, resources"),
    slip((PACKAGE, "    ca: Exemple", "\tca: Exemple"), "ca: Exemple", "tab"),
    slip((PACKAGE, "    path: /.web/", "     path: /.web/"), "statuses:", "indented otherwise"),
    slip((APP, "          ports:\n", "         ports:\n"), "ports:", "no YAML"),
    slip((WEB, "  name: {{ instance", "name: {{ instance"), "labels:", "indented otherwise"),
    slip((WEB, "  selector: {{", "selector: {{"), "ports:", "indented otherwise"),
    slip((WEB, "  name: {{ instance.name ~ \"-app\" }}\n", ""), "kind: Service", "without metadata.name"),
    // Fields.
    slip((PACKAGE, "  versions:\n", "  versoins:\n"), "versoins:", "did you mean versions?"),
    slip((PACKAGE, "\nspec:\n", "\nsepc:\n"), "sepc:", "did you mean spec?"),
    slip((PACKAGE, "carriesQuota: true", "carriesQuota: yes"), "carriesQuota: yes", "boolean"),
    slip((PACKAGE, "- name: \"3\"", "- name: 3"), "name: 3", "string"),
    slip((PACKAGE, "memory: 256Mi", "memory: 256MB"), "256MB", "does not fit; allowed: "),
    slip((WEB, "spec:\n  selector", "spce:\n  selector"), "spce:", "did you mean spec?"),
    slip((WEB, "targetPort: http", "targetport: http"), "targetport", "did you mean targetPort?"),
    slip((APP, "readinessProbe:", "readynessProbe:"), "readynessProbe:", "did you mean readinessProbe?"),
    slip((APP, "runAsNonRoot: true", "runAsNonRoot: \"true\""), "runAsNonRoot", "must be true or false"),
    slip((APP, "containerPort: 8080", "containerPort: \"8080\""), "containerPort", "must be a whole number"),
    slip((APP, "args: [--config, /config/config]", "args: --config /config/config"), "args:", "must be a list"),
    // Values.
    slip((WEB, "- host: {{ hostname }}", "- host: {{ hostnme }}"), "hostnme", "did you mean hostname?"),
    slip((APP, "image: {{ images.app }}", "image: {{ images.ap }}"), "images.ap ", "did you mean app?"),
    slip((APP, "parameters.greeting ~ \"\\n\"", "parameters.greting ~ \"\\n\""), "greting", "did you mean greeting?"),
    slip((APP, "{{ volumes.data }}", "{{ volume.data }}"), "volume.data", "did you mean volumes?"),
    slip((WEB, "if exposure.tls_secret", "if exposure.tls_secrt"), "tls_secrt", "did you mean tls_secret?"),
    slip((APP, "| sha256", "| sha265"), "sha265", "did you mean sha256?"),
    slip((APP, "labels(component", "label(component"), "label(", "did you mean labels?"),
    slip((APP, "{{ resources.app | json_encode }}", "{{ resources.app }}"), "resources.app", "json_encode"),
    slip((WEB, "name: {{ instance.name ~ \"-app\" }}", "name: {{ instance.name }}-app"), "}}-app", "~"),
    slip((APP, "{{ files.prepare }}", "{{ files.prepare }"), "files.prepare", "}}"),
    // Declarations.
    slip((PACKAGE, "{kind: Deployment, name: app}", "{kind: Deploymnt, name: app}"), "Deploymnt", "Deployment"),
    slip((WEB, "instance.name ~ \"-app\"", "instance.name ~ \"-web\""), "kind: Service", "Service app, Ingress app"),
    slip((PACKAGE, "radicale:3", "radicale"), "radicale\"", "needs a tag"),
    slip((PACKAGE, "manifests/web.yaml", "manifests/wbe.yaml"), "wbe.yaml", "wbe.yaml"),
    slip((PACKAGE, "- greeting: Els", "- greting: Els"), "greting", "greting"),
    slip(
        (PACKAGE, "{name: data, size: quota, carriesQuota: true}", "{name: data, size: quotas, carriesQuota: true}"),
        "quotas",
        "quota",
    ),
];

#[test]
fn each_slip_is_shown_at_its_line_with_what_was_meant_or_is_allowed() {
    let mut wrong = Vec::new();
    for Slip { edit: (file, from, to), line, says } in SLIPS {
        let mut files = scaffold();
        let text = files.get_mut(*file).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        *text = text.replacen(from, to, 1);
        let found = findings(&files);
        let shown = |at: usize| files[*file].lines().nth(at - 1).is_some_and(|text| text.contains(line));
        if !found.iter().any(|f| f.file == *file && shown(f.line) && f.message.contains(says)) {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            wrong.push(format!("{to:?}, expected at {line:?} with {says:?}:\n  {}", found.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
