//! An image as a tar of an OCI layout, as `ctr images import` reads it.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::Error;
use super::description::Description;
use super::layer::{Layer, hex};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What of the description the runtime reads; names as in the OCI image specification.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuntimeConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    exposed_ports: Map<String, Value>,
    env: Vec<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "Map::is_empty")]
    volumes: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<&'a str>,
}

/// A set, as the specification writes it: names with nothing behind them.
fn set(names: &[String]) -> Map<String, Value> {
    names.iter().map(|name| (name.clone(), json!({}))).collect()
}

/// Writes the image with its layers, lowest first, to `file`.
pub(super) fn write(description: &Description, layers: &[Layer], file: &Path) -> Result<(), Error> {
    let output = File::create(file).map_err(Error::io("create", file))?;
    let mut tar = Builder::new(BufWriter::with_capacity(1 << 20, output));
    write_entries(description, layers, &mut tar)
        .and_then(|()| tar.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all())
        .map_err(Error::io("write", file))
}

fn write_entries(description: &Description, layers: &[Layer], tar: &mut Tar) -> std::io::Result<()> {
    for folder in ["blobs/", "blobs/sha256/"] {
        let mut header = header(0, 0o755);
        header.set_entry_type(EntryType::Directory);
        tar.append_data(&mut header, folder, std::io::empty())?;
    }
    for (index, layer) in layers.iter().enumerate() {
        if layers[..index].iter().all(|lower| lower.digest != layer.digest) {
            let content = File::open(&layer.file)?;
            tar.append_data(&mut header(layer.size, 0o644), blob(&layer.digest), content)?;
        }
    }
    let config = add_blob(tar, &config(description, layers))?;
    let manifest = add_blob(tar, &manifest(&config, layers))?;
    add_file(tar, "index.json", &index(description, &manifest))?;
    add_file(tar, "oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))
}

type Tar = Builder<BufWriter<File>>;

/// Digest and size of a blob.
struct Blob {
    digest: String,
    size: usize,
}

fn config(description: &Description, layers: &[Layer]) -> Value {
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    let mut env: Vec<String> = description.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !description.env.contains_key("PATH") {
        env.insert(0, path);
    }
    let runtime = RuntimeConfig {
        user: description.user.as_deref(),
        exposed_ports: set(&description.ports),
        env,
        entrypoint: &description.entrypoint,
        cmd: &description.cmd,
        volumes: set(&description.volumes),
        working_dir: description.working_dir.as_deref(),
        stop_signal: description.stop_signal.as_deref(),
    };
    let layers: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect();
    json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": architecture(),
        "os": "linux",
        "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": layers},
    })
}

fn manifest(config: &Blob, layers: &[Layer]) -> Value {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| json!({"mediaType": LAYER, "digest": format!("sha256:{}", layer.digest), "size": layer.size}))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config.digest, "size": config.size},
        "layers": layers,
    })
}

fn index(description: &Description, manifest: &Blob) -> Value {
    let reference = &description.reference;
    let tag = reference.rsplit(':').next();
    json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": MANIFEST,
            "digest": manifest.digest,
            "size": manifest.size,
            "platform": {"architecture": architecture(), "os": "linux"},
            "annotations": {
                "io.containerd.image.name": reference,
                "org.opencontainers.image.ref.name": tag,
            },
        }],
    })
}

/// The machine's architecture in the words of OCI (and Go).
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn add_blob(tar: &mut Tar, value: &Value) -> std::io::Result<Blob> {
    let bytes = serde_json::to_vec(value)?;
    let digest = hex(&Sha256::digest(&bytes));
    tar.append_data(&mut header(bytes.len() as u64, 0o644), blob(&digest), &bytes[..])?;
    Ok(Blob { digest: format!("sha256:{digest}"), size: bytes.len() })
}

fn add_file(tar: &mut Tar, name: &str, value: &Value) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    tar.append_data(&mut header(bytes.len() as u64, 0o644), name, &bytes[..])
}

fn blob(digest: &str) -> String {
    format!("blobs/sha256/{digest}")
}

fn header(size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::io::Read;

    use super::*;
    use crate::images::{Origin, layer};

    fn description() -> Description {
        Description {
            reference: "docker.io/local/x:1".into(),
            tests_only: false,
            from: Origin::Scratch,
            packages: vec![],
            folders: vec![],
            binaries: vec![],
            script: None,
            env: BTreeMap::from([("LANG".into(), "C.UTF-8".into())]),
            entrypoint: vec!["/x".into()],
            cmd: vec!["serve".into()],
            user: Some("999:999".into()),
            ports: vec!["80/tcp".into()],
            volumes: vec!["/data".into()],
            working_dir: Some("/data".into()),
            stop_signal: None,
        }
    }

    fn read(file: &Path) -> HashMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(file).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    fn written() -> HashMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("x"), "program").unwrap();
        let started = std::time::SystemTime::UNIX_EPOCH;
        let layer = layer::write(&root, &folder.path().join("layer.tar"), started).unwrap();
        let file = folder.path().join("image.tar");
        write(&description(), &[layer.clone(), layer], &file).unwrap();
        read(&file)
    }

    fn json(files: &HashMap<String, Vec<u8>>, name: &str) -> Value {
        serde_json::from_slice(&files[name]).unwrap()
    }

    fn followed(files: &HashMap<String, Vec<u8>>, digest: &Value) -> Value {
        json(files, &blob(digest.as_str().unwrap().strip_prefix("sha256:").unwrap()))
    }

    #[test]
    fn every_blob_is_named_by_its_digest() {
        for (name, content) in written() {
            if let Some(digest) = name.strip_prefix("blobs/sha256/").filter(|digest| !digest.is_empty()) {
                assert_eq!(digest, hex(&Sha256::digest(&content)));
            }
        }
    }

    #[test]
    fn the_index_leads_to_config_and_layers() {
        let files = written();
        let index = json(&files, "index.json");
        let entry = &index["manifests"][0];
        assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/local/x:1");
        let manifest = followed(&files, &entry["digest"]);
        let config = followed(&files, &manifest["config"]["digest"]);
        assert_eq!(config["rootfs"]["diff_ids"][1], manifest["layers"][1]["digest"]);
        assert_eq!(config["config"]["User"], "999:999");
        assert_eq!(config["config"]["Entrypoint"][0], "/x");
        assert_eq!(config["config"]["ExposedPorts"], json!({"80/tcp": {}}));
        assert_eq!(config["config"]["Volumes"], json!({"/data": {}}));
        assert!(config["config"]["Env"].as_array().unwrap().contains(&json!("LANG=C.UTF-8")));
    }

    #[test]
    fn the_same_sources_give_the_same_bytes() {
        assert_eq!(written(), written());
    }
}
