//! Reads an image as a container runtime does.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use commonscloud_cluster::images::BuiltImage;

/// An image's tar, with the place and size of each entry.
struct Layout<'a> {
    file: &'a Path,
    entries: HashMap<String, (u64, u64)>,
}

impl<'a> Layout<'a> {
    fn read(file: &'a Path) -> Self {
        let mut archive = tar::Archive::new(File::open(file).unwrap());
        let entries = archive.entries_with_seek().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), (entry.raw_file_position(), entry.size()))
        });
        Self { file, entries: entries.collect() }
    }

    fn open(&self, name: &str) -> impl Read + use<> {
        let (position, size) = self.entries[name];
        let mut file = File::open(self.file).unwrap();
        file.seek(SeekFrom::Start(position)).unwrap();
        BufReader::new(file.take(size))
    }

    fn blob(&self, digest: &serde_json::Value) -> impl Read + use<> {
        self.open(&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/")))
    }

    fn json(&self, digest: &serde_json::Value) -> serde_json::Value {
        serde_json::from_reader(self.blob(digest)).unwrap()
    }

    fn manifest(&self) -> serde_json::Value {
        let index: serde_json::Value = serde_json::from_reader(self.open("index.json")).unwrap();
        self.json(&index["manifests"][0]["digest"])
    }
}

/// The files of an image, unpacked once; tests put layers of their own over them.
pub(crate) fn unpacked(image: &BuiltImage) -> PathBuf {
    static UNPACKING: Mutex<()> = Mutex::new(());
    let _one = UNPACKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("images").join(&image.name);
    let finished = folder.join(image.tar.file_stem().unwrap());
    if !finished.exists() {
        // Of an older build, or of a test that was killed.
        let _ = std::fs::remove_dir_all(&folder);
        let unfinished = folder.join("unfinished");
        std::fs::create_dir_all(&unfinished).unwrap();
        unpack(&image.tar, &unfinished);
        std::fs::rename(&unfinished, &finished).unwrap();
    }
    finished
}

/// Unpacks an image as a runtime does, whiteouts included.
pub(crate) fn unpack(image: &Path, root: &Path) {
    let layout = Layout::read(image);
    for layer in layout.manifest()["layers"].as_array().unwrap() {
        apply(layout.blob(&layer["digest"]), root);
    }
}

/// The environment that an image gives its containers, its folder among it as `WORKDIR`.
pub(crate) fn environment(image: &Path) -> Vec<(String, String)> {
    let layout = Layout::read(image);
    let config = layout.json(&layout.manifest()["config"]["digest"]);
    let config = &config["config"];
    let mut environment: Vec<(String, String)> = Vec::new();
    for entry in config["Env"].as_array().unwrap() {
        let (name, value) = entry.as_str().unwrap().split_once('=').unwrap();
        environment.push((name.to_owned(), value.to_owned()));
    }
    if let Some(folder) = config["WorkingDir"].as_str() {
        environment.push(("WORKDIR".to_owned(), folder.to_owned()));
    }
    environment
}

fn apply(layer: impl Read, root: &Path) {
    let mut archive = tar::Archive::new(layer);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(true);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().into_owned();
        let file = name.file_name().unwrap().to_string_lossy().into_owned();
        let folder = root.join(name.parent().unwrap());
        if file == ".wh..wh..opq" {
            for below in std::fs::read_dir(&folder).unwrap() {
                remove(&below.unwrap().path());
            }
        } else if let Some(removed) = file.strip_prefix(".wh.") {
            remove(&folder.join(removed));
        } else {
            let place = root.join(&name);
            let is_folder = entry.header().entry_type().is_dir();
            if place.symlink_metadata().is_ok_and(|there| there.is_dir() != is_folder) {
                remove(&place);
            }
            entry.unpack_in(root).unwrap();
        }
    }
}

fn remove(path: &Path) {
    if path.symlink_metadata().unwrap().is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}
