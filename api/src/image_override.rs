//! Images in the place of a template's own: a mirror, or references for versions.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{IMAGE_PATTERN, NAME_PATTERN};

/// An image used instead of a template's own, by one of `mirror`, `versions` and `reference`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("[has(self.mirror), has(self.versions), has(self.reference)].filter(given, given).size() == 1").message("images[]: set one of mirror (a repository, such as registry.example.org/mirror/postgres: tag and digest stay the template's), versions (a reference for each version of the application) and reference (used where its tag is that of the version that runs)"))]
#[serde(rename_all = "camelCase")]
pub struct ImageOverride {
    /// Name of the template, for example `office`.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub template: String,
    /// The image's name in the template, for example `postgres`.
    #[schemars(length(min = 1, max = 63))]
    pub image: String,
    /// The repository to pull from, for example `registry.example.org/mirror/postgres`. Tag and digest
    /// stay those of the version that an instance runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 384))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-zA-Z0-9._/:]*[a-zA-Z0-9])?$') && !self.matches(':[^/]*$')").message("images[].mirror: a repository without tag and digest, for example registry.example.org/mirror/postgres"))]
    pub mirror: Option<String>,
    /// The references to use, each for one version of the application. For any other the template's own
    /// is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub versions: Vec<VersionImage>,
    /// The reference to use for each version whose own image has the same tag, for example
    /// `registry.example.org/postgres:16`. Where the tag differs it is not used, and condition
    /// `ImageDiffers` of the instance says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE_PATTERN))]
    pub reference: Option<String>,
}

/// An image for one version of the application.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionImage {
    /// The version's name in the template, for example `34.0.1`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The reference to use for it, whatever its tag.
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE_PATTERN))]
    pub reference: String,
}
