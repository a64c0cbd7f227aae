//! A package that passed every rule, and what can be asked of it.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tera::Tera;

use crate::kinds::{self, AllowedKind};
use crate::parameters::{ParameterError, Parameters};
use crate::text::{hexadecimal, json_text};
use commonscloud_api::values::{Bytes, ExpressionError, GrowthRule, SizeExpression};
use commonscloud_api::{
    Component, GeneratedSecret, HealthCheck, ImageReference, ServiceTemplateSpec, TemplateVersion, VolumeAccess,
};

/// A package that passed every rule of the format. Cheap to clone.
#[derive(Clone)]
pub struct Package(Arc<Compiled>);

/// The parts of a compiled package.
pub(crate) struct Compiled {
    pub(crate) name: String,
    pub(crate) spec: ServiceTemplateSpec,
    pub(crate) digest: String,
    pub(crate) tera: Tera,
    pub(crate) volumes: Vec<PackageVolume>,
    pub(crate) parameters: Parameters,
}

/// A volume of a package, its size expression read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageVolume {
    /// The volume's name in the package.
    pub name: String,
    /// Whether it carries the entity's files.
    pub carries_quota: bool,
    /// How many nodes may mount it.
    pub access: VolumeAccess,
    /// How it grows before it is full; none: it does not.
    pub growth: Option<PackageGrowth>,
    pub(crate) size: SizeExpression,
}

/// How a volume of a package grows before it is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageGrowth {
    /// When, and by how much.
    pub rule: GrowthRule,
    pub(crate) maximum: SizeExpression,
}

impl PackageGrowth {
    /// What one file can take once it has grown as far as it may, for this quota.
    ///
    /// # Errors
    /// When the package's expression has no usable value for this quota.
    pub fn maximum(&self, quota: Bytes) -> Result<Bytes, ExpressionError> {
        self.maximum.evaluate(quota)
    }
}

impl PackageVolume {
    /// What one file in it can take, for this quota.
    ///
    /// # Errors
    /// When the package's expression has no usable value for this quota.
    pub fn size(&self, quota: Bytes) -> Result<Bytes, ExpressionError> {
        self.size.evaluate(quota)
    }
}

/// An object that a package renders for an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredChild {
    /// Its kind, with group, version and plural.
    pub kind: AllowedKind,
    /// Its name in the namespace: `{instance}-{name}`.
    pub name: String,
    /// Whether it may be absent.
    pub optional: bool,
}

impl Package {
    /// A package of parts that passed every rule that needs no rendering.
    pub(crate) fn new(compiled: Compiled) -> Self {
        Self(Arc::new(compiled))
    }

    /// Sha256 of the package's content, 64 hexadecimal digits. The order of fields makes no difference.
    pub fn digest_of(spec: &ServiceTemplateSpec) -> String {
        let content = serde_json::to_value(spec).unwrap_or(Value::Null);
        hexadecimal(&Sha256::digest(json_text(&sorted(&content))))
    }

    /// Name of the ServiceTemplateRevision that holds this content: `{template}-{10 digits}`.
    pub fn revision_name(&self) -> String {
        format!("{}-{}", self.0.name, self.0.digest.get(..10).unwrap_or_default())
    }

    /// The package's name, which is its ServiceTemplate's.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Sha256 of its content, as [`Package::digest_of`] gives it.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// What it was compiled from.
    pub fn spec(&self) -> &ServiceTemplateSpec {
        &self.0.spec
    }

    /// The application's versions, newest first; at least one.
    pub fn versions(&self) -> &[TemplateVersion] {
        &self.0.spec.versions
    }

    /// The newest version's name.
    pub fn latest(&self) -> &str {
        self.0.spec.versions.first().map_or("", |version| version.name.as_str())
    }

    /// The version of this name.
    pub fn version(&self, name: &str) -> Option<&TemplateVersion> {
        self.0.spec.versions.iter().find(|version| version.name == name)
    }

    /// The images of a version; none when the package has no such version.
    pub fn images(&self, version: &str) -> Option<&[ImageReference]> {
        self.version(version).map(|version| version.images.as_slice())
    }

    /// Whether the package lists the step from one version to another. Staying is always allowed.
    pub fn may_upgrade(&self, from: &str, to: &str) -> bool {
        from == to || self.version(to).is_some_and(|version| follows(version, from))
    }

    /// The versions that lead from one version to another, one after the other, as few as can be; the last
    /// is the one that is asked for. None: no steps of the package lead there.
    pub fn steps(&self, from: &str, to: &str) -> Option<Vec<&str>> {
        let mut ways = VecDeque::from([vec![self.version(to)?]]);
        let mut seen = BTreeSet::from([to]);
        while let Some(way) = ways.pop_front() {
            let first = *way.last()?;
            if follows(first, from) {
                return Some(way.iter().rev().map(|version| version.name.as_str()).collect());
            }
            for version in self.versions().iter().filter(|version| follows(first, &version.name)) {
                if seen.insert(version.name.as_str()) {
                    ways.push_back([way.as_slice(), &[version]].concat());
                }
            }
        }
        None
    }

    /// The parts that requests and limits are given for.
    pub fn components(&self) -> &[Component] {
        &self.0.spec.components
    }

    /// The volumes, with their sizes as expressions of the quota.
    pub fn volumes(&self) -> &[PackageVolume] {
        &self.0.volumes
    }

    /// The Secrets to generate.
    pub fn secrets(&self) -> &[GeneratedSecret] {
        &self.0.spec.secrets
    }

    /// How to tell that the service answers through the ingress.
    pub fn health(&self) -> Option<&HealthCheck> {
        self.0.spec.health.as_ref()
    }

    /// The parameters with the schema's defaults filled in.
    ///
    /// # Errors
    /// Every field that the package's schema does not accept.
    pub fn validate_parameters(&self, parameters: &Value) -> Result<Value, ParameterError> {
        self.0.parameters.validate(parameters)
    }

    /// The objects that the package renders for an instance of this name.
    pub fn declared_objects(&self, instance: &str) -> Vec<DeclaredChild> {
        let declared = self.0.spec.manifests.iter().flat_map(|manifest| &manifest.objects);
        declared
            .filter_map(|object| {
                let (_, kind) = kinds::find(&object.kind)?;
                Some(DeclaredChild {
                    kind: *kind,
                    name: format!("{instance}-{}", object.name),
                    optional: object.optional,
                })
            })
            .collect()
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0
    }
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("name", &self.0.name).field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

/// Whether the version may be reached from this one in one step.
fn follows(version: &TemplateVersion, from: &str) -> bool {
    version.upgrades_from.iter().any(|pattern| matches_version(pattern, from))
}

/// `33.*` stands for every version that begins with `33.`.
pub(crate) fn matches_version(pattern: &str, version: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(front) => version.starts_with(front),
        None => pattern == version,
    }
}

/// The same value with the keys of every map in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            Value::Object(keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
