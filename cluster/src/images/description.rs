//! `images/NAME/image.yaml`: what an image is made of and how it starts.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::Error;

/// One image, as its folder describes it. Beside `image.yaml` the folder may hold `rootfs/`, copied
/// to the root of the image (files become root's, 0644, or 0755 where executable).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Description {
    /// Full reference, with registry host and tag: kubelet takes nothing shorter.
    pub reference: String,
    /// Whether only tests need it: a demo is brought up without.
    #[serde(default)]
    pub tests_only: bool,
    /// What lies below the image's own files.
    pub from: Origin,
    /// Debian packages, installed without what they recommend.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Folders that the packages' own scripts need, and nobody makes: the base is without manuals, for one.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    /// Programs that are built elsewhere.
    #[serde(default)]
    pub binaries: Vec<Binary>,
    /// A shell script in the image's folder, run in the image after packages and files are there.
    pub script: Option<String>,
    /// Environment of the container.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What is started.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// Its arguments, unless others are given.
    #[serde(default)]
    pub cmd: Vec<String>,
    /// `uid` or `uid:gid`; root when absent.
    pub user: Option<String>,
    /// Ports it listens on, such as `5432/tcp`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Paths that are meant to be volumes.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// Folder it starts in.
    pub working_dir: Option<String>,
    /// The signal that asks it to end, when it is not SIGTERM.
    pub stop_signal: Option<String>,
}

/// What lies below the image's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The base root file system that all Debian images share.
    Debian,
    /// Nothing.
    Scratch,
}

/// A program that is copied into the image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// Where it comes from.
    pub from: Provenance,
    /// Absolute path in the image.
    pub to: PathBuf,
}

/// Where a program comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// `TOOL/PROGRAM`: the program, or else the file, of that name of a tool in `e2e/kubernetes/TOOL`.
    Tool(String),
    /// A crate of this workspace with a binary of its own name, built for release.
    Cargo(String),
    /// A C file in the image's folder, compiled into a static program.
    C(String),
}

impl Description {
    /// Reads and checks a description.
    ///
    /// # Errors
    /// When the file cannot be read, has a field that is not known, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(&text).map_err(|reason| Error::Description { path: path.to_path_buf(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let description: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        description.check()?;
        Ok(description)
    }

    fn check(&self) -> Result<(), String> {
        let (name, tag) = self.reference.rsplit_once(':').unwrap_or((&self.reference, ""));
        if tag.is_empty() || tag.contains('/') || !name.split('/').next().is_some_and(|host| host.contains('.')) {
            return Err(format!("reference {} must be HOST/NAME:TAG", self.reference));
        }
        let is_plain = self.packages.is_empty() && self.folders.is_empty() && self.script.is_none();
        if self.from == Origin::Scratch && !is_plain {
            return Err("packages, folders and script need `from: debian`".to_owned());
        }
        if let Some(binary) = self.binaries.iter().find(|binary| !binary.to.is_absolute()) {
            return Err(format!("the path {} of a binary must begin with /", binary.to.display()));
        }
        let plain =
            |folder: &Path| folder.is_absolute() && !folder.components().any(|part| part == Component::ParentDir);
        if let Some(folder) = self.folders.iter().find(|folder| !plain(folder)) {
            return Err(format!("the folder {} must begin with / and have no ..", folder.display()));
        }
        if self.entrypoint.is_empty() && self.cmd.is_empty() {
            return Err("one of entrypoint and cmd must say what is started".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "reference: docker.io/local/x:1\nfrom: scratch\nentrypoint: [/x]\n";

    #[test]
    fn a_minimal_description_has_no_packages_and_runs_as_root() {
        let description = Description::parse(MINIMAL).unwrap();
        assert_eq!(description.from, Origin::Scratch);
        assert!(description.packages.is_empty() && !description.tests_only);
        assert_eq!(description.user, None);
    }

    #[test]
    fn a_binary_says_where_it_comes_from() {
        let text = format!("{MINIMAL}binaries:\n- from: {{tool: traefik/traefik}}\n  to: /traefik\n");
        let binary = Description::parse(&text).unwrap().binaries.remove(0);
        assert_eq!(binary.from, Provenance::Tool("traefik/traefik".into()));
    }

    #[test]
    fn a_misspelt_field_is_refused_by_name() {
        let reason = Description::parse(&format!("{MINIMAL}entrypiont: [/y]\n")).unwrap_err();
        assert!(reason.contains("entrypiont"), "{reason}");
    }

    #[test]
    fn a_reference_without_host_or_tag_is_refused() {
        for reference in ["x:1", "local/x:1", "docker.io/local/x", "docker.io:5000/x"] {
            let text = MINIMAL.replace("docker.io/local/x:1", reference);
            assert!(Description::parse(&text).unwrap_err().contains(reference));
        }
    }

    #[test]
    fn packages_need_debian_below_them() {
        let reason = Description::parse(&format!("{MINIMAL}packages: [redis]\n")).unwrap_err();
        assert!(reason.contains("from: debian"), "{reason}");
    }

    #[test]
    fn a_folder_lies_in_the_image() {
        let with = |folder: &str| {
            let text = MINIMAL.replace("scratch", "debian");
            Description::parse(&format!("{text}folders: [{folder}]\n"))
        };
        assert!(with("/usr/share/man/man1").is_ok());
        for folder in ["usr/share", "/usr/../../etc"] {
            assert!(with(folder).unwrap_err().contains(folder), "{folder}");
        }
    }

    #[test]
    fn every_image_of_this_repository_has_a_valid_description() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in super::super::names(&source).unwrap() {
            Description::read(&source.join("images").join(name).join("image.yaml")).unwrap();
        }
    }

    #[test]
    fn a_demo_has_every_image_that_its_services_name_and_none_of_tests() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let names = super::super::beyond_tests(&source).unwrap();
        assert!(
            ["backup", "nextcloud", "operator", "radicale", "rest-server"]
                .iter()
                .all(|name| names.iter().any(|known| known == name))
        );
        assert!(!names.iter().any(|name| ["backup-server", "cert-manager"].contains(&name.as_str())), "{names:?}");
    }

    #[test]
    fn images_of_our_own_programs_are_tagged_with_the_version_of_the_workspace() {
        for name in ["backup", "operator"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images").join(name).join("image.yaml");
            let reference = Description::read(&file).unwrap().reference;
            assert_eq!(reference, format!("docker.io/local/{name}:{}", env!("CARGO_PKG_VERSION")));
        }
    }
}
