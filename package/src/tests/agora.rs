//! How the agora follows the Secret of its client: its settings and its probe, run as its container runs
//! them, on a folder in the place of the container's own.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;

use super::packages::{plan, text};
use super::*;

struct Forum {
    folder: tempfile::TempDir,
    settings: String,
    probe: String,
}

impl Forum {
    /// With what listens in the place of nginx.
    fn new() -> (Self, TcpListener) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("oidc")).unwrap();
        let nginx = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = nginx.local_addr().unwrap().port();
        let package = named("agora");
        let settings = &package.spec.files.iter().find(|file| file.name == "settings").unwrap().content;
        let here = |text: &str| {
            let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            text.replace("/var/www/discourse/config/discourse.conf", &at("discourse.conf"))
                .replace("/run/oidc.sha256", &at("oidc.sha256"))
                .replace("oidc=/oidc\n", &format!("oidc={}\n", at("oidc")))
                .replace(" /oidc/", &format!(" {}/", at("oidc")))
                .replace("/dev/tcp/127.0.0.1/80", &format!("/dev/tcp/127.0.0.1/{port}"))
        };
        let (settings, probe) = (here(settings), here(&probe(&package)));
        (Self { folder, settings, probe }, nginx)
    }

    /// A key of the client's Secret, as it is mounted.
    fn client(&self, key: &str, value: &str) {
        std::fs::write(self.folder.path().join("oidc").join(key), value).unwrap();
    }

    /// The settings of a start, after the image's own script.
    fn start(&self) -> Output {
        let password = "it's";
        std::fs::write(self.folder.path().join("discourse.conf"), format!("db_password = '{password}'\n")).unwrap();
        let script = ["-c", self.settings.as_str()];
        Command::new("bash").args(script).env("DISCOURSE_DB_PASSWORD", password).output().unwrap()
    }

    fn configuration(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("discourse.conf")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn lives(&self) -> bool {
        Command::new("bash").args(["-c", self.probe.as_str()]).output().unwrap().status.success()
    }
}

/// The command of the liveness probe of an agora with an identity provider.
fn probe(package: &ServiceTemplate) -> String {
    let objects = render(&plan(&compiled(package), "2026.1", Surroundings::Full, true)).unwrap().objects;
    let app = objects.iter().find(|object| object.kind == "Deployment").unwrap();
    let containers = app.value["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let discourse = containers.iter().find(|container| container["name"] == "discourse").unwrap();
    let command = discourse["livenessProbe"]["exec"]["command"].as_array().unwrap();
    assert_eq!(command[..2], [Value::from("/bin/bash"), Value::from("-c")]);
    command[2].as_str().unwrap().to_owned()
}

#[test]
fn a_client_that_was_changed_ends_the_container_and_is_read_at_its_next_start() {
    let (forum, nginx) = Forum::new();
    forum.client("client-id", "agora");
    forum.client("client-secret", "o'clock\n");
    assert!(forum.start().status.success());
    let secret = "openid_connect_client_secret = \"o'clock\"";
    assert_eq!(forum.configuration(), ["db_password = \"it's\"", "openid_connect_client_id = 'agora'", secret]);
    assert!(forum.lives());

    forum.client("client-secret", "new");
    assert!(!forum.lives(), "the client's secret has changed");
    assert!(forum.start().status.success());
    assert_eq!(forum.configuration()[2], "openid_connect_client_secret = 'new'");
    assert!(forum.lives());
    drop(nginx);
    assert!(!forum.lives(), "nothing listens");
}

#[test]
fn half_a_client_ends_nothing_that_runs_and_starts_nothing() {
    let (forum, _nginx) = Forum::new();
    forum.client("client-id", "agora");
    forum.client("client-secret", "secret");
    assert!(forum.start().status.success());
    forum.client("client-secret", "");
    assert!(forum.lives(), "there is nothing better to start with");
    let refused = forum.start();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said.contains("client-secret") && said.contains("parameters.oidc.clientSecretName"), "{said}");
    assert!(forum.configuration().is_empty(), "nothing is to read what was refused");
}

#[test]
fn no_variable_of_the_agora_holds_its_client() {
    let package = compiled(&named("agora"));
    let rendered = text(&plan(&package, "2026.1", Surroundings::Full, true));
    assert!(rendered.contains("secretName: agora-oidc"), "it is mounted");
    assert!(!rendered.contains("CLIENT_SECRET\n") && !rendered.contains("key: client-secret"), "{rendered}");
}
