//! Mounts: what the kernel has, and the few changes that the driver makes.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::command::run;
use super::fault::Fault;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// One line of the kernel's list of mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The device, `major:minor`.
    pub(crate) device: String,
    /// Which directory of the file system is mounted; `/` is all of it.
    pub(crate) root: PathBuf,
    /// Where.
    pub(crate) path: PathBuf,
    /// Whether this mount (not the file system) is read-only.
    pub(crate) read_only: bool,
    /// `xfs` for a volume.
    pub(crate) kind: String,
    /// `/dev/loopN` for a volume.
    pub(crate) source: String,
}

impl Mount {
    /// Whether this is what the driver mounts: an XFS on a loop device.
    pub(crate) fn is_volume(&self) -> bool {
        self.kind == "xfs" && self.source.starts_with("/dev/loop")
    }
}

/// All mounts of this mount namespace, oldest first.
#[derive(Debug)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads them from the kernel.
    pub(crate) fn read() -> Result<Self, Fault> {
        let path = Path::new(MOUNTINFO);
        Ok(Self::parse(&fs::read(path).map_err(Fault::io("read", path))?))
    }

    fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(parse_line).collect())
    }

    /// The mount that is seen at `path`: the newest when several lie there.
    pub(crate) fn at(&self, path: &Path) -> Option<&Mount> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.0.iter().rev().find(|mount| mount.path == path)
    }

    /// Whether anything on the device (`major:minor`) is mounted.
    pub(crate) fn has(&self, device: &str) -> bool {
        self.0.iter().any(|mount| mount.device == device)
    }

    /// A writable mount of the whole file system on the device (`major:minor`), if there is one.
    pub(crate) fn of(&self, device: &str) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.device == device && mount.root == Path::new("/") && !mount.read_only)
    }
}

/// `36 35 98:0 /root /point rw,noatime master:1 - xfs /dev/loop0 rw`, with any number of fields before the hyphen.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut text = || fields.next().map(|field| String::from_utf8_lossy(field).into_owned());
    let (_id, _parent, device) = (text()?, text()?, text()?);
    let (root, path) = (unescape(fields.next()?), unescape(fields.next()?));
    let options = fields.next()?;
    let read_only = options.split(|byte| *byte == b',').any(|option| option == b"ro");
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let mut text = || rest.next().map(|field| unescape(field).to_string_lossy().into_owned());
    let (kind, source) = (text()?, text()?);
    Some(Mount { device, root: root.into(), path: path.into(), read_only, kind, source })
}

/// The kernel writes blanks, tabs, newlines and backslashes as `\` and three octal digits.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| after.get(..3).and_then(octal)).flatten();
        plain.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(plain)
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// Mounts a volume's device on `path`, which is created when it is missing.
pub(crate) async fn mount(device: &Path, path: &Path, flags: &[String]) -> Result<(), Fault> {
    fs::create_dir_all(path).map_err(Fault::io("create", path))?;
    let options = flags.join(",");
    let mut arguments: Vec<&OsStr> = ["-t", "xfs"].map(OsStr::new).to_vec();
    if !options.is_empty() {
        arguments.extend(["-o", &options].map(OsStr::new));
    }
    arguments.extend([OsStr::new("--"), device.as_os_str(), path.as_os_str()]);
    run("mount", &arguments).await?;
    Ok(())
}

/// Makes the volume mounted on `from` appear on `to` too, which is created when it is missing.
pub(crate) async fn bind(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::create_dir_all(to).map_err(Fault::io("create", to))?;
    run("mount", &[OsStr::new("--bind"), OsStr::new("--"), from.as_os_str(), to.as_os_str()]).await?;
    Ok(())
}

/// Makes one mount read-only and leaves the others of the same volume as they are.
pub(crate) async fn make_read_only(path: &Path) -> Result<(), Fault> {
    let options = OsStr::new("remount,bind,ro");
    run("mount", &[OsStr::new("-o"), options, OsStr::new("--"), path.as_os_str()]).await?;
    Ok(())
}

/// Unmounts what the driver mounted on `path`, all layers of it; nothing there is fine, something foreign is not.
pub(crate) async fn unmount(path: &Path) -> Result<(), Fault> {
    while let Some(mount) = Mounts::read()?.at(path) {
        if !mount.is_volume() {
            return Err(Fault::Precondition(format!(
                "{} is a mount of {} ({}) and no volume of this driver: unmount it yourself if it is not needed",
                path.display(),
                mount.source,
                mount.kind
            )));
        }
        run("umount", &[OsStr::new("--"), path.as_os_str()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Mounts, unescape};

    const TABLE: &[u8] = b"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        40 22 7:0 / /kubelet/staging rw,relatime shared:5 master:2 - xfs /dev/loop0 rw,attr2\n\
        41 22 7:0 / /kubelet/pod\\040one/mount ro,relatime - xfs /dev/loop0 rw,attr2\n\
        42 22 7:0 /sub /kubelet/sub rw - xfs /dev/loop0 rw,attr2\n\
        43 22 0:44 / /kubelet/staging rw - tmpfs tmpfs rw\n\
        44 22 7:1 /sub /kubelet/only-a-part rw - xfs /dev/loop1 rw\n\
        nonsense\n";

    #[test]
    fn the_newest_mount_at_a_path_counts() {
        let mounts = Mounts::parse(TABLE);
        let seen = mounts.at(Path::new("/kubelet/staging")).unwrap();
        assert_eq!((seen.kind.as_str(), seen.device.as_str()), ("tmpfs", "0:44"));
        assert!(!seen.is_volume());
        assert!(mounts.at(Path::new("/kubelet/nothing")).is_none());
    }

    #[test]
    fn blanks_and_read_only_are_read() {
        let mounts = Mounts::parse(TABLE);
        let seen = mounts.at(Path::new("/kubelet/pod one/mount")).unwrap();
        assert!(seen.read_only && seen.is_volume());
        assert_eq!(seen.source, "/dev/loop0");
        assert!(!mounts.at(Path::new("/")).unwrap().read_only);
    }

    #[test]
    fn only_a_writable_mount_of_the_whole_volume_serves_for_growth() {
        let mounts = Mounts::parse(TABLE);
        assert_eq!(mounts.of("7:0").unwrap().path, Path::new("/kubelet/staging"));
        assert!(mounts.of("7:1").is_none());
    }

    #[test]
    fn escapes_are_undone_and_half_escapes_kept() {
        assert_eq!(unescape(b"a\\040b\\134c"), "a b\\c");
        assert_eq!(unescape(b"a\\04"), "a\\04");
        assert_eq!(unescape(b"\\999"), "\\999");
    }

    #[test]
    fn this_process_has_mounts() {
        assert!(Mounts::read().unwrap().at(Path::new("/")).is_some());
    }
}
