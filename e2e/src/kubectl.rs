//! kubectl, as people use it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::command::{self, Finished};
use crate::failure::Outcome;

/// kubectl with one kubeconfig.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

/// No single command of a scenario takes longer.
const LIMIT: Duration = Duration::from_mins(2);

impl Kubectl {
    /// The program with a kubeconfig.
    pub fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { program, kubeconfig }
    }

    /// Runs a command, with `input` on its standard input.
    ///
    /// # Errors
    /// When it cannot be started or does not end within two minutes.
    pub async fn run(&self, arguments: &[&str], input: Option<&[u8]>) -> Outcome<Finished> {
        let kubeconfig = self.kubeconfig.to_string_lossy();
        command::run(&self.program, arguments, &[("KUBECONFIG", &kubeconfig)], input, LIMIT).await
    }

    /// Runs a command that is to succeed, and gives its output.
    ///
    /// # Errors
    /// What it printed, when it fails.
    pub async fn ok(&self, arguments: &[&str]) -> Outcome<String> {
        self.run(arguments, None).await?.succeeded(&format!("kubectl {}", arguments.join(" ")))
    }

    /// `kubectl apply --server-side` of objects, in the given order.
    ///
    /// # Errors
    /// When kubectl cannot be run; a refusal is a [`Finished`] without success.
    pub async fn apply(&self, objects: &[Value]) -> Outcome<Finished> {
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        let file = documents.join("\n---\n");
        self.run(&["apply", "--server-side", "-f", "-"], Some(file.as_bytes())).await
    }

    /// Applies objects that are to be accepted.
    ///
    /// # Errors
    /// The refusal.
    pub async fn applied(&self, objects: &[Value]) -> Outcome {
        self.apply(objects).await?.succeeded("kubectl apply --server-side").map(drop)
    }

    /// Applies an object that is to be refused, and gives the refusal.
    ///
    /// # Errors
    /// When it is accepted.
    pub async fn refused(&self, object: &Value) -> Outcome<String> {
        self.apply(std::slice::from_ref(object)).await?.refused(&object.to_string())
    }

    /// Runs a command in a container, and gives its output and how it ended.
    ///
    /// # Errors
    /// When kubectl cannot be run.
    pub async fn exec(&self, namespace: &str, pod: &str, container: &str, words: &[&str]) -> Outcome<Finished> {
        let mut arguments = vec!["exec", "-n", namespace, pod, "-c", container, "--"];
        arguments.extend(words);
        self.run(&arguments, None).await
    }
}
