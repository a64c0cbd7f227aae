//! What a package renders for a few sample instances, as text to be kept beside the package.

use serde_json::Value;

use crate::fault::RenderError;
use crate::format::sample::{self, Surroundings};
use crate::package::Package;
use crate::plan::Plan;
use crate::render::render;

/// The objects of one sample instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// What the sample is, as a file's name: `defaults`, `bare`, `example-1`.
    pub name: String,
    /// All objects as YAML documents, in the order in which they are applied.
    pub text: String,
}

/// The samples of the newest version: `defaults` (no parameters) where the schema accepts that, and
/// each of its examples, on a platform with everything; `bare`, the first of these on a platform
/// with nothing.
///
/// # Errors
/// When an object breaks a rule; a package that was compiled renders its samples.
pub fn golden(package: &Package) -> Result<Vec<Golden>, RenderError> {
    let mut all = Vec::new();
    let mut number = 0;
    for (field, example) in package.compiled().parameters.examples() {
        let name = if field == "spec.parameters" {
            "defaults".to_owned()
        } else {
            number += 1;
            format!("example-{number}")
        };
        if all.is_empty() {
            all.extend(one(package, "bare", &example, Surroundings::Bare)?);
        }
        all.extend(one(package, &name, &example, Surroundings::Full)?);
    }
    Ok(all)
}

fn one(
    package: &Package,
    name: &str,
    example: &Value,
    surroundings: Surroundings,
) -> Result<Option<Golden>, RenderError> {
    let version = package.versions().first();
    let parameters = package.validate_parameters(example).ok();
    let plan = version.zip(parameters).and_then(|(version, parameters)| {
        // Compiling tried the same sample out already.
        sample::plan(package, version, parameters, surroundings).ok()
    });
    let Some(mut plan) = plan else { return Ok(None) };
    "L'Hort \"3\"".clone_into(&mut plan.entity.display_name);
    // The digest of the whole package would change in every file with every comment.
    "REVISION".clone_into(&mut plan.revision);
    text(&plan).map(|text| Some(Golden { name: name.to_owned(), text }))
}

fn text(plan: &Plan) -> Result<String, RenderError> {
    let set = render(plan)?;
    let documents = set.objects.iter().map(|object| serde_yaml::to_string(&object.value).unwrap_or_default());
    Ok(documents.collect::<Vec<_>>().join("---\n"))
}
