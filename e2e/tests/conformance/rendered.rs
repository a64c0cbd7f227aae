//! What there is to look at: the chart as it is and with everything switched on, Entities with all services, and the
//! examples.

use std::fs;
use std::path::Path;
use std::time::Duration;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::{apply, cargo, folders, tools};
use commonscloud_e2e::chart::{NAMESPACE, RELEASE};
use commonscloud_e2e::{Outcome, command, ensure};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Of what is rendered here.
const FIXTURES: &str = "e2e/tests/conformance";
/// A first use may wait for a build.
const LIMIT: Duration = Duration::from_mins(5);
/// The release is written to a cluster that has the kinds of the Platform already.
const KINDS_ARE_THERE: [&str; 2] = ["--api-versions", "commonscloud.coop/v1alpha1/Platform"];

/// Manifests, and what they are.
#[derive(Debug)]
pub struct Manifests {
    /// Where they come from.
    pub of: &'static str,
    /// As YAML.
    pub text: String,
}

impl Manifests {
    /// The objects, read as Kubernetes reads them.
    pub fn objects(&self) -> Outcome<Vec<Value>> {
        let objects = apply::parse(Path::new(self.of), &self.text)?;
        Ok(objects.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
    }
}

static RENDERED: OnceCell<Vec<Manifests>> = OnceCell::const_new();

/// All of them, rendered once.
pub async fn all() -> Outcome<&'static [Manifests]> {
    Ok(RENDERED.get_or_try_init(render).await?)
}

async fn render() -> Outcome<Vec<Manifests>> {
    let source = folders::source(None)?;
    let everything = everything(&source)?;
    let templates = "examples/templates";
    let small = ["examples/platform.yaml", "examples/tariff.yaml", "examples/entity-pamapam.yaml", templates];
    let large = [&format!("{FIXTURES}/entity.yaml"), "examples/tariff.yaml", templates];
    Ok(vec![
        Manifests { of: "the chart", text: chart(&source, &json!({}), &[]).await? },
        Manifests { of: "the chart with all", text: chart(&source, &everything, &[]).await? },
        Manifests { of: "the chart with all, upgraded", text: chart(&source, &everything, &KINDS_ARE_THERE).await? },
        Manifests { of: "a small Entity", text: entities(&source, &small).await? },
        Manifests { of: "a large Entity", text: entities(&source, &large).await? },
        Manifests { of: "examples", text: examples(&source)? },
    ])
}

/// The chart with these values, and further words for `helm template`.
pub async fn chart(source: &Path, values: &Value, further: &[&str]) -> Outcome<String> {
    let helm = tools::ensure("helm", source, &Progress::shown()).await?.program("helm");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.yaml");
    fs::write(&file, values.to_string())?;
    let (chart, file) = (source.join("charts/commonscloud"), file.to_string_lossy());
    let chart = chart.to_string_lossy();
    let mut words = vec!["template", RELEASE.name, &chart, "--namespace", NAMESPACE, "--values", &file];
    words.extend(further);
    command::run(&helm, &words, &[], None, LIMIT).await?.succeeded("helm template")
}

/// The values that switch on all that is off by default, with the Platform and the Tariff of the examples.
fn everything(source: &Path) -> Outcome<Value> {
    let read = |path: &str| -> Outcome<Value> { Ok(serde_yaml::from_str(&fs::read_to_string(source.join(path))?)?) };
    let mut values = read(&format!("{FIXTURES}/values.yaml"))?;
    values["platform"]["spec"] = read("examples/platform.yaml")?["spec"].clone();
    values["tariffs"] = json!({"example-2026": read("examples/tariff.yaml")?["spec"]});
    let missing = left_out("", &read("charts/commonscloud/values.yaml")?, &values);
    ensure!(missing.is_empty(), "{FIXTURES}/values.yaml switches not on: {}", missing.join(", "));
    Ok(values)
}

/// The values that are off or empty by default, and not given.
fn left_out(path: &str, default: &Value, given: &Value) -> Vec<String> {
    let off = json!([null, false, "", [], {}]);
    if off.as_array().is_some_and(|off| off.contains(default)) {
        return if given.is_null() || given == default { vec![path.to_owned()] } else { Vec::new() };
    }
    let fields = default.as_object().into_iter().flatten();
    fields.flat_map(|(name, field)| left_out(&format!("{path}.{name}"), field, &given[name])).collect()
}

async fn entities(source: &Path, files: &[&str]) -> Outcome<String> {
    let tool = cargo::release("commonscloud", source)?;
    let paths = files.iter().map(|file| source.join(file).to_string_lossy().into_owned());
    let words: Vec<String> = ["render".to_owned()].into_iter().chain(paths).collect();
    command::run(&tool, &words, &[], None, LIMIT).await?.succeeded("commonscloud render")
}

fn examples(source: &Path) -> Outcome<String> {
    let mut text = fs::read_to_string(source.join(FIXTURES).join("entity.yaml"))?;
    for folder in ["examples", "examples/templates"] {
        for entry in fs::read_dir(source.join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "yaml") {
                text = format!("{text}\n---\n{}", fs::read_to_string(path)?);
            }
        }
    }
    Ok(text)
}
