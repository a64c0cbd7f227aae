//! A package of 15 objects, one of them with a setting that can be changed; fleets of Entities with it.

use commonscloud_e2e::{Outcome, everything, manifests};
use serde_json::{Value, json};

/// Its name.
pub const FIFTEEN: &str = "fifteen";
/// Objects that an instance of it has, beside its own two (the Dedicated resource and the record).
pub const OBJECTS: usize = 15;
/// Services of an Entity in the fleets.
pub const SERVICES: usize = 4;
/// The setting before anybody changes it.
const SETTING: &str = "as it was";

/// The package with every kind, with a setting, a second PodDisruptionBudget and a second ConfigMap.
pub fn package() -> Outcome<Value> {
    let mut package = json!(everything::package()?);
    package["metadata"]["name"] = Value::from(FIFTEEN);
    let spec = &mut package["spec"];
    spec["parameters"]["properties"] = json!({"setting": {"type": "string", "default": SETTING}});
    let text = "setting: {{ parameters.setting }}";
    for manifest in spec["manifests"].as_array_mut().into_iter().flatten() {
        let template = manifest["template"].as_str().unwrap_or_default();
        manifest["template"] = Value::from(template.replace("setting: as the package says", text));
    }
    let more = json!({
        "name": "more.yaml",
        "objects": [{"kind": "PodDisruptionBudget", "name": "data"}, {"kind": "ConfigMap", "name": "data"}],
        "template": MORE,
    });
    if let Some(manifests) = spec["manifests"].as_array_mut() {
        manifests.push(more);
    }
    Ok(package)
}

const MORE: &str = r#"apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ instance.name ~ "-data" }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{ selector(component="data") }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ instance.name ~ "-data" }}
data:
  limits: none
"#;

/// An Entity with `services` services of the package, called `s0` and so on, the first with `setting`.
pub fn entity(name: &str, services: usize, setting: Option<&str>) -> Value {
    let service = |number: usize| {
        let parameters = json!({"setting": setting.filter(|_| number == 0).unwrap_or(SETTING)});
        json!({"name": format!("s{number}"), "template": FIFTEEN, "tier": "1gb", "parameters": parameters})
    };
    let others: Vec<Value> = (0..services).map(service).collect();
    manifests::entity(name, json!({"others": others}))
}

/// Entities `PREFIX-0` and so on that have `instances` instances in all.
pub fn fleet(prefix: &str, instances: usize) -> Vec<Value> {
    let count = instances.div_ceil(SERVICES);
    (0..count).map(|number| entity(&format!("{prefix}-{number}"), SERVICES, None)).collect()
}
