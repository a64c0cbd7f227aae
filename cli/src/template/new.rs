//! `commonscloud template new`: a whole package to begin with.

use std::fs;
use std::path::PathBuf;

use commonscloud_cluster::command::Failure;

use super::print;

/// Make a folder with a small package in which everything works, to be changed part by part.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder; its name becomes the package's. It must not be there yet, or be empty.
    folder: PathBuf,
}

/// What the scaffold is called in its own files.
const NAME_LINE: &str = "  name: example\n";

/// The scaffold's files, by their names in the package's folder.
const FILES: [(&str, &str); 5] = [
    ("package.yaml", include_str!("scaffold/package.yaml")),
    ("manifests/network.yaml", include_str!("scaffold/manifests/network.yaml")),
    ("manifests/app.yaml", include_str!("scaffold/manifests/app.yaml")),
    ("manifests/web.yaml", include_str!("scaffold/manifests/web.yaml")),
    ("files/prepare.sh", include_str!("scaffold/files/prepare.sh")),
];

/// Runs the command.
///
/// # Errors
/// When the folder holds something, or its name is no package's name.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = std::path::absolute(&arguments.folder)?;
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    check_name(&name)?;
    if folder.exists() && fs::read_dir(&folder)?.next().is_some() {
        return Err(format!("{}: is not empty; name a new folder", folder.display()).into());
    }
    for (file, text) in FILES {
        let path = folder.join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        let text = text.replacen(NAME_LINE, &format!("  name: {name}\n"), 1);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let shown = arguments.folder.display();
    print(&format!(
        "{shown}: a package {name}, complete and good. Begin with {shown}/package.yaml, then
  commonscloud template lint {shown}          # every rule, with file and line
  commonscloud template test {shown} --update # what it renders, to look at and keep
  commonscloud template test {shown} --run    # an instance of it on a local cluster
docs/writing-a-package.md walks through it.
"
    ));
    Ok(())
}

fn check_name(name: &str) -> Result<(), Failure> {
    let good = (1..=30).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        return Ok(());
    }
    Err(format!(
        "{name:?} cannot be a package's name: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use commonscloud_operator::template::{lint, load_directory};

    use super::*;

    #[test]
    fn what_is_made_is_good_and_has_the_folders_name() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("wiki-2");
        run(&Arguments { folder: folder.clone() }).unwrap();
        assert_eq!(lint(&folder).unwrap(), []);
        assert_eq!(load_directory(&folder).unwrap().metadata.name.as_deref(), Some("wiki-2"));
    }

    /// The files that the page shows, by name: a fenced block names its file after its language.
    fn files_of_the_page() -> Vec<(String, String)> {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-a-package.md");
        let page = fs::read_to_string(page).unwrap();
        let blocks = page.split("\n```").skip(1).step_by(2);
        let file = |block: &str| {
            let (info, text) = block.split_once('\n')?;
            Some((info.split_once(' ')?.1.to_owned(), format!("{text}\n")))
        };
        blocks.filter_map(file).collect()
    }

    #[test]
    fn the_package_of_the_page_is_good() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("fossil");
        run(&Arguments { folder: folder.clone() }).unwrap();
        let mut written = 0;
        for (name, text) in files_of_the_page() {
            if let Some(file) = name.strip_prefix("services/fossil/") {
                fs::write(folder.join(file), text).unwrap();
                written += 1;
            }
        }
        assert_eq!(written, 3);
        assert_eq!(lint(&folder).unwrap(), []);
    }

    #[test]
    fn nothing_is_written_over_and_no_name_is_made_up() {
        let room = tempfile::tempdir().unwrap();
        fs::write(room.path().join("mine"), "").unwrap();
        for folder in [room.path().to_owned(), room.path().join("Wiki")] {
            run(&Arguments { folder }).unwrap_err();
        }
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_file_of_the_scaffold_is_made() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/template/scaffold");
        let count = |folder: &std::path::Path| {
            fs::read_dir(folder).unwrap().filter(|e| e.as_ref().unwrap().path().is_file()).count()
        };
        let all: usize =
            [folder.clone(), folder.join("manifests"), folder.join("files")].iter().map(|f| count(f)).sum();
        assert_eq!(all, FILES.len());
    }
}
