//! The volumes' images: one sparse file per volume in one directory, `<id>.img`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;
use tonic::Code;

use super::fault::Fault;
use super::file_system;
use super::volume_id::VolumeId;

/// How an image's file name ends.
const SUFFIX: &str = "img";
/// How the name ends while the file system is being made; such a file is no volume yet.
const UNFINISHED: &str = "img.unfinished";

/// An image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its length: the volume's capacity, in bytes.
    pub(crate) bytes: u64,
    /// The file's inode, which tells it from another file of the same name.
    pub(crate) inode: u64,
    /// The number of the file system that the file is on.
    pub(crate) device: u64,
}

/// The directory of images.
#[derive(Debug)]
pub(crate) struct Images {
    directory: PathBuf,
    /// How many times the free space may be promised: sparse images rarely fill up.
    over_provisioning: u64,
    /// Held from the look at the free space until the promise is made, so that two volumes never share it.
    promise: Mutex<()>,
}

impl Images {
    /// Takes the directory, which is created when it is missing.
    pub(crate) fn open(directory: &Path, over_provisioning: u64) -> Result<Self, Fault> {
        fs::create_dir_all(directory).map_err(Fault::io("create", directory))?;
        let directory = fs::canonicalize(directory).map_err(Fault::io("find", directory))?;
        Ok(Self { directory, over_provisioning, promise: Mutex::new(()) })
    }

    /// The volume's image, or `None` when there is no such volume.
    pub(crate) fn find(&self, id: &VolumeId) -> Result<Option<Image>, Fault> {
        let path = self.path(id, SUFFIX);
        match fs::symlink_metadata(&path) {
            Ok(file) if file.is_file() => {
                Ok(Some(Image { path, bytes: file.len(), inode: file.ino(), device: file.dev() }))
            }
            Ok(_) => Err(Fault::Precondition(format!("{} is no plain file: remove it", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::io("look at", &path)(error)),
        }
    }

    /// The volume's image.
    pub(crate) fn get(&self, id: &VolumeId) -> Result<Image, Fault> {
        self.find(id)?.ok_or_else(|| Fault::UnknownVolume(id.to_string()))
    }

    /// Makes an image of `bytes` with an empty file system.
    ///
    /// The name appears last, so that whatever bears it is complete; what a killed call left is replaced.
    pub(crate) async fn create(&self, id: &VolumeId, bytes: u64) -> Result<Image, Fault> {
        let unfinished = self.path(id, UNFINISHED);
        remove_if_there(&unfinished)?;
        {
            let _promise = self.promise.lock().await;
            self.require_room(bytes, Code::ResourceExhausted)?;
            let file = File::create_new(&unfinished).map_err(Fault::io("create", &unfinished))?;
            file.set_len(bytes).map_err(Fault::io("set the size of", &unfinished))?;
        }
        if let Err(error) = file_system::make(&unfinished, bytes).await {
            remove_if_there(&unfinished)?;
            return Err(error.into());
        }
        let path = self.path(id, SUFFIX);
        fs::rename(&unfinished, &path).map_err(Fault::io("rename to", &path))?;
        self.get(id)
    }

    /// Lengthens the image to `bytes`; a longer image stays as it is.
    pub(crate) async fn grow(&self, id: &VolumeId, bytes: u64) -> Result<Image, Fault> {
        let _promise = self.promise.lock().await;
        let image = self.get(id)?;
        if image.bytes >= bytes {
            return Ok(image);
        }
        self.require_room(bytes - image.bytes, Code::OutOfRange)?;
        let file = OpenOptions::new().write(true).open(&image.path).map_err(Fault::io("open", &image.path))?;
        file.set_len(bytes).map_err(Fault::io("lengthen", &image.path))?;
        Ok(Image { bytes, ..image })
    }

    /// Removes the image and what an interrupted creation left; neither need exist.
    pub(crate) fn remove(&self, id: &VolumeId) -> Result<(), Fault> {
        remove_if_there(&self.path(id, UNFINISHED))?;
        remove_if_there(&self.path(id, SUFFIX))
    }

    /// Bytes that can still be promised: the host's free space as often as it may be promised,
    /// minus the holes of all images.
    pub(crate) fn free(&self) -> Result<u64, Fault> {
        let host = rustix::fs::statvfs(&self.directory)
            .map_err(|error| Fault::io("read the free space of", &self.directory)(error.into()))?;
        let free = host.f_bavail.saturating_mul(host.f_frsize);
        Ok(free.saturating_mul(self.over_provisioning).saturating_sub(self.promised()?))
    }

    fn promised(&self) -> Result<u64, Fault> {
        let mut promised = 0_u64;
        let files = fs::read_dir(&self.directory).map_err(Fault::io("list", &self.directory))?;
        for file in files {
            let path = file.map_err(Fault::io("list", &self.directory))?.path();
            match fs::symlink_metadata(&path) {
                Ok(file) if file.is_file() => promised = promised.saturating_add(hole(file.len(), file.blocks())),
                Ok(_) => {}
                // Another volume's deletion came between the two looks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Fault::io("look at", &path)(error)),
            }
        }
        Ok(promised)
    }

    fn require_room(&self, wanted: u64, code: Code) -> Result<(), Fault> {
        let free = self.free()?;
        if wanted <= free {
            return Ok(());
        }
        Err(Fault::NoRoom { directory: self.directory.clone(), free, wanted, code })
    }

    fn path(&self, id: &VolumeId, suffix: &str) -> PathBuf {
        self.directory.join(format!("{id}.{suffix}"))
    }
}

/// What a file of `length` bytes that holds `sectors` (512 bytes each) may still take from the disk.
fn hole(length: u64, sectors: u64) -> u64 {
    length.saturating_sub(sectors.saturating_mul(512))
}

fn remove_if_there(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Fault::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use tonic::Code;

    use super::{Images, hole};
    use crate::csi::fault::Fault;
    use crate::csi::volume_id::VolumeId;

    const MIB: u64 = 1024 * 1024;

    fn images_with(id: &str, bytes: u64) -> (tempfile::TempDir, Images, VolumeId) {
        let directory = tempfile::tempdir().unwrap();
        let images = Images::open(directory.path(), 1).unwrap();
        File::create(directory.path().join(format!("{id}.img"))).unwrap().set_len(bytes).unwrap();
        (directory, images, VolumeId::parse(id).unwrap())
    }

    #[tokio::test]
    async fn growth_is_repeatable_and_never_shortens() {
        let (_directory, images, id) = images_with("a", 4 * MIB);
        assert_eq!(images.grow(&id, 8 * MIB).await.unwrap().bytes, 8 * MIB);
        assert_eq!(images.grow(&id, 8 * MIB).await.unwrap().bytes, 8 * MIB);
        assert_eq!(images.grow(&id, 2 * MIB).await.unwrap().bytes, 8 * MIB);
        assert_eq!(images.get(&id).unwrap().bytes, 8 * MIB);
    }

    #[tokio::test]
    async fn growth_beyond_the_disk_is_out_of_range_and_changes_nothing() {
        let (_directory, images, id) = images_with("a", 4 * MIB);
        let refused = images.grow(&id, 1 << 60).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
        assert_eq!(images.get(&id).unwrap().bytes, 4 * MIB);
    }

    #[tokio::test]
    async fn creation_beyond_the_disk_leaves_nothing() {
        let (directory, images, _) = images_with("a", 0);
        let id = VolumeId::parse("b").unwrap();
        let refused = images.create(&id, 1 << 60).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn holes_of_existing_images_are_not_free() {
        let (_directory, images, _) = images_with("a", 0);
        let before = images.free().unwrap();
        let (promised, slack) = (64 * MIB, 32 * MIB);
        File::create(images.directory.join("b.img")).unwrap().set_len(promised).unwrap();
        // Others write to the same disk meanwhile, hence the slack.
        assert!(images.free().unwrap() <= before - promised + slack);
        assert_eq!(hole(promised, 0), promised);
        assert_eq!(hole(512, 8), 0);
    }

    #[test]
    fn removal_is_repeatable_and_takes_the_unfinished_too() {
        let (directory, images, id) = images_with("a", 512);
        File::create(directory.path().join("a.img.unfinished")).unwrap();
        images.remove(&id).unwrap();
        images.remove(&id).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(matches!(images.get(&id), Err(Fault::UnknownVolume(_))));
    }
}
