//! Which images an instance runs: those of its version, from where the Platform says. Another version of
//! an image than the package's comes of the Platform's own word for that version alone, or stays because
//! it is what the data runs on already: neither an edit of the Platform nor of the operator moves it.

use std::collections::BTreeMap;
use std::fmt;

use super::facts::Facts;
use crate::api::{DataImage, ImageOverride, ImageReference, PlatformSpec, Reason};
use crate::plan::Plan;
use crate::template::Package;

/// An image that is not what the Platform names, or not what the version has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageNotice {
    /// `ImageKept` or `ImageOverrideUnused`.
    pub reason: Reason,
    image: String,
    /// The reference that differs.
    reference: String,
    /// The version's own.
    own: String,
    version: String,
}

impl fmt::Display for ImageNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, image, reference, own, version } = self;
        let differs = format!("{reference}, whose tag is not that of version {version} ({own})");
        if *reason == Reason::ImageKept {
            write!(
                f,
                "image {image} stays {differs}: nothing moves it unasked; name one for that version under versions in spec.images of the Platform"
            )
        } else {
            write!(
                f,
                "spec.images of the Platform gives {image} {differs}: it is not used; set mirror there, or name the version under versions"
            )
        }
    }
}

/// The references by the package's names, and what is to be said of them.
pub(super) fn images(
    facts: &Facts,
    platform: &PlatformSpec,
    package: &Package,
    version: &str,
) -> (BTreeMap<String, String>, Vec<ImageNotice>) {
    let mut images = BTreeMap::new();
    let mut notices = Vec::new();
    for own in package.images(version).unwrap_or_default() {
        let named = |by: &&ImageOverride| by.template == package.name() && by.image == own.name;
        let by_platform = platform.images.iter().find(named);
        let (reference, reason) = match by_platform.and_then(|by| named_for(by, version)) {
            Some(reference) => (reference, None),
            None => unnamed(own, by_platform, kept(facts, package, version, own, by_platform)),
        };
        notices.extend(reason.map(|(reason, differs)| ImageNotice {
            reason,
            image: own.name.clone(),
            reference: differs,
            own: own.reference.clone(),
            version: version.to_owned(),
        }));
        images.insert(own.name.clone(), reference);
    }
    (images, notices)
}

/// Where the Platform does not name the version: what is used, and the reason and reference of what
/// differs.
fn unnamed(
    own: &ImageReference,
    by_platform: Option<&ImageOverride>,
    kept: Option<&str>,
) -> (String, Option<(Reason, String)>) {
    let given = by_platform.and_then(|by| of_same_tag(by, &own.reference));
    if let Some(kept) = kept.filter(|kept| tag(kept) != tag(&own.reference)) {
        return (kept.to_owned(), Some((Reason::ImageKept, kept.to_owned())));
    }
    let unused = by_platform.and_then(|by| by.reference.clone()).filter(|_| given.is_none());
    let reference = given.unwrap_or_else(|| own.reference.clone());
    (reference, unused.map(|unused| (Reason::ImageOverrideUnused, unused)))
}

/// The reference that the Platform gives this version, whatever its tag.
fn named_for(by: &ImageOverride, version: &str) -> Option<String> {
    by.versions.iter().find(|image| image.name == version).map(|image| image.reference.clone())
}

/// The reference by which the Platform gives the same version of the image.
fn of_same_tag(by: &ImageOverride, own: &str) -> Option<String> {
    match (&by.mirror, &by.reference) {
        (Some(mirror), _) => Some(format!("{mirror}{}", own.get(repository(own).len()..).unwrap_or_default())),
        (None, Some(reference)) => Some(reference.clone()).filter(|reference| tag(reference) == tag(own)),
        (None, None) => None,
    }
}

/// What an override makes of a version's own reference.
pub fn overridden(by: &ImageOverride, own: &str, version: &str) -> String {
    named_for(by, version).or_else(|| of_same_tag(by, own)).unwrap_or_else(|| own.to_owned())
}

/// What the data runs on in the place of its version's own image, unless the version that is asked for
/// brings another one.
fn kept<'a>(
    facts: &'a Facts,
    package: &Package,
    version: &str,
    own: &ImageReference,
    by_platform: Option<&'a ImageOverride>,
) -> Option<&'a str> {
    let record = &facts.record.as_deref()?.spec;
    let runs = record.version.as_deref()?;
    let of_record = record.revision.as_ref().and_then(|name| facts.packages.get(name)?.as_ref().ok());
    let before = of_record.map_or(package, AsRef::as_ref).images(runs).unwrap_or_default();
    let same = |image: &ImageReference| image.name == own.name && tag(&image.reference) == tag(&own.reference);
    if runs != version && !before.iter().any(same) {
        return None;
    }
    match &record.images {
        Some(images) => images.iter().find(|image| image.name == own.name).map(|image| image.reference.as_str()),
        // Earlier releases recorded none, and used whatever the Platform named.
        None => by_platform?.reference.as_deref(),
    }
}

/// The images of a plan whose tags are not those of its version in the package.
pub fn differing_images(plan: &Plan) -> Vec<DataImage> {
    let own = plan.package.images(&plan.version).unwrap_or_default();
    let differs =
        |name: &str, reference: &str| own.iter().any(|own| own.name == name && tag(&own.reference) != tag(reference));
    let differing = plan.images.iter().filter(|(name, reference)| differs(name, reference));
    differing.map(|(name, reference)| DataImage { name: name.clone(), reference: reference.clone() }).collect()
}

/// A reference without tag and digest.
fn repository(reference: &str) -> &str {
    let named = reference.split_once('@').map_or(reference, |(named, _)| named);
    let name = named.rfind('/').map_or(0, |at| at + 1);
    named.get(name..).and_then(|last| last.find(':')).and_then(|colon| named.get(..name + colon)).unwrap_or(named)
}

/// The tag of a reference; its digest where it has none.
pub fn tag(reference: &str) -> &str {
    let rest = reference.get(repository(reference).len()..).unwrap_or_default();
    match rest.split_once('@') {
        Some(("", digest)) => digest,
        Some((tag, _)) => tag,
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("docker.io/library/postgres:16", "docker.io/library/postgres", ":16"; "a tag")]
    #[test_case("registry:5000/postgres:16", "registry:5000/postgres", ":16"; "a port")]
    #[test_case("registry:5000/postgres", "registry:5000/postgres", ""; "a port and no tag")]
    #[test_case("postgres:16@sha256:ab", "postgres", ":16"; "tag and digest")]
    #[test_case("registry:5000/postgres@sha256:ab", "registry:5000/postgres", "sha256:ab"; "a digest")]
    fn a_reference_is_repository_and_tag(reference: &str, of_repository: &str, of_tag: &str) {
        assert_eq!((repository(reference), tag(reference)), (of_repository, of_tag));
    }

    fn by(text: &str) -> ImageOverride {
        serde_yaml::from_str(&format!("{{template: office, image: postgres, {text}}}")).unwrap()
    }

    #[test_case("mirror: 'registry:5000/m/postgres'", "registry:5000/m/postgres:16@sha256:ab"; "a mirror keeps tag and digest")]
    #[test_case("reference: 'm/postgres:16'", "m/postgres:16"; "a reference of the same tag")]
    #[test_case("reference: 'm/postgres:17'", "docker.io/postgres:16@sha256:ab"; "a reference of another tag is not used")]
    #[test_case("versions: [{name: '34', reference: 'm/postgres:17'}]", "m/postgres:17"; "the version is named")]
    #[test_case("versions: [{name: '33', reference: 'm/postgres:17'}]", "docker.io/postgres:16@sha256:ab"; "another version is named")]
    fn an_override_moves_nothing_but_the_version_that_it_names(text: &str, expected: &str) {
        assert_eq!(overridden(&by(text), "docker.io/postgres:16@sha256:ab", "34"), expected);
    }
}
