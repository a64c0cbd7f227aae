//! Loop devices: never two on one image, and none that outlives its last mount.

use std::path::PathBuf;

use rustix::fs::{major, minor};
use serde::Deserialize;
use serde_json::Value;

use super::command::{CommandError, run};
use super::fault::Fault;
use super::image::Image;

/// A loop device that is attached to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoopDevice {
    /// `/dev/loopN`.
    pub(crate) path: PathBuf,
    /// `major:minor`, as the kernel's list of mounts has it.
    pub(crate) number: String,
}

/// The loop device of the image, if it has one.
///
/// Two on one image would each cache it and destroy the file system, so that is an error.
pub(crate) async fn find(image: &Image) -> Result<Option<LoopDevice>, Fault> {
    let columns = ["--json", "--list", "--output", "NAME,MAJ:MIN,BACK-INO,BACK-MAJ:MIN,BACK-FILE"];
    let mut found = parse(&run("losetup", &columns).await?, image)?;
    let device = found.pop();
    if let (Some(first), Some(second)) = (found.pop(), &device) {
        return Err(Fault::Precondition(format!(
            "{} is attached to {} and {}: stop what uses it, then detach one with losetup -d",
            image.path.display(),
            first.path.display(),
            second.path.display()
        )));
    }
    Ok(device)
}

/// The image's loop device, attached now when it has none.
pub(crate) async fn attach(image: &Image) -> Result<LoopDevice, Fault> {
    if let Some(device) = find(image).await? {
        return Ok(device);
    }
    run("losetup", &["--find".as_ref(), image.path.as_os_str()]).await?;
    find(image).await?.ok_or_else(|| {
        Fault::Internal(format!("losetup attached {} to no device that can be found", image.path.display()))
    })
}

/// Has the kernel detach the device when nothing uses it: at once, or at its last unmount. One that its last
/// unmount has detached since it was found is no error (ENXIO).
pub(crate) async fn release(device: &LoopDevice) -> Result<(), Fault> {
    match run("losetup", &["--detach".as_ref(), device.path.as_os_str()]).await {
        Err(CommandError::Failed { stderr, .. }) if stderr.contains("No such device or address") => Ok(()),
        ended => Ok(ended.map(drop)?),
    }
}

/// Tells the device that its image has grown.
pub(crate) async fn refresh(device: &LoopDevice) -> Result<(), Fault> {
    run("losetup", &["--set-capacity".as_ref(), device.path.as_os_str()]).await?;
    Ok(())
}

#[derive(Deserialize)]
struct List {
    loopdevices: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: PathBuf,
    #[serde(rename = "maj:min")]
    number: String,
    /// A number; some versions of losetup write it as text.
    #[serde(rename = "back-ino")]
    inode: Value,
    #[serde(rename = "back-maj:min")]
    file_system: Option<String>,
    #[serde(rename = "back-file")]
    file: Option<PathBuf>,
}

impl Row {
    /// By inode, because one file can be reached by several paths; by path, because some file systems give the
    /// kernel another device number than they give to `stat`.
    fn holds(&self, image: &Image) -> bool {
        let inode = self.inode.as_u64().or_else(|| self.inode.as_str()?.trim().parse().ok());
        let file_system = format!("{}:{}", major(image.device), minor(image.device));
        let same_file = inode == Some(image.inode) && self.file_system.as_deref().map(str::trim) == Some(&file_system);
        same_file || self.file.as_ref() == Some(&image.path)
    }
}

fn parse(text: &str, image: &Image) -> Result<Vec<LoopDevice>, Fault> {
    // Older versions of losetup write nothing at all when there is no device.
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let list: List = serde_json::from_str(text)
        .map_err(|error| Fault::Internal(format!("losetup's list cannot be read ({error}): {text}")))?;
    let mine = list.loopdevices.into_iter().filter(|row| row.holds(image));
    Ok(mine.map(|row| LoopDevice { number: row.number.trim().to_owned(), path: row.name }).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{LoopDevice, parse};
    use crate::csi::image::Image;

    const LIST: &str = r#"{"loopdevices": [
        {"name":"/dev/loop0","maj:min":"  7:0  ","back-ino":17,"back-maj:min":"  254:0  ","back-file":"/a/one.img"},
        {"name":"/dev/loop1","maj:min":"  7:1  ","back-ino":"18","back-maj:min":"254:0","back-file":"/b/two.img"},
        {"name":"/dev/loop2","maj:min":"  7:2  ","back-ino":null,"back-maj:min":null,"back-file":null}
    ]}"#;

    fn image(path: &str, inode: u64, major: u32) -> Image {
        Image { path: PathBuf::from(path), bytes: 0, inode, device: rustix::fs::makedev(major, 0) }
    }

    fn device(number: u8) -> LoopDevice {
        LoopDevice { path: format!("/dev/loop{number}").into(), number: format!("7:{number}") }
    }

    #[test]
    fn a_device_is_found_by_its_file_whatever_the_path() {
        assert_eq!(parse(LIST, &image("/elsewhere/one.img", 17, 254)).unwrap(), [device(0)]);
        assert_eq!(parse(LIST, &image("/elsewhere/two.img", 18, 254)).unwrap(), [device(1)]);
    }

    #[test]
    fn a_device_is_found_by_its_path_when_the_numbers_differ() {
        assert_eq!(parse(LIST, &image("/b/two.img", 18, 9)).unwrap(), [device(1)]);
    }

    #[test]
    fn the_same_inode_on_another_disk_is_another_file() {
        assert_eq!(parse(LIST, &image("/c/three.img", 17, 9)).unwrap(), []);
    }

    #[test]
    fn no_devices_are_no_error_and_nonsense_is() {
        let image = image("/a/one.img", 17, 254);
        assert_eq!(parse("", &image).unwrap(), []);
        assert_eq!(parse("{\n   \"loopdevices\": [\n\n   ]\n}\n", &image).unwrap(), []);
        assert!(parse("loop0", &image).is_err());
    }
}
