//! XFS: made, grown, and fitted so that the usable size is exact.
//!
//! An image of S bytes takes one file of S − [`OVERHEAD`] bytes, and [`SPARE`] bytes more for the metadata of the
//! first files, whatever S is and however often the volume was grown. Three things make it so:
//! - `reflink`, `finobt` and `rmapbt` are off: their reserve would be 7.1 MiB per GiB;
//! - the log has a fixed 64 MiB, and there are two allocation groups (the fewest that `mkfs.xfs` makes), so that
//!   growth adds few;
//! - the reserve that XFS keeps for itself (32 MiB, 5 % in a small one) takes up the rest: it is set anew after each
//!   mount and each growth, because every allocation group costs 48 KiB.
//!
//! Measured with `fallocate` to the block (xfsprogs 6.1, kernel 6.18): what an image loses, without and with the
//! fitted reserve. The right column is 240 KiB less than [`OVERHEAD`], so the quota fits and almost nothing more.
//!
//! | image, all + 97 MiB but the first | groups | lost without | lost with |
//! |---|---|---|---|
//! | 300 MiB | 2 | 82,984,960 | 101,466,112 |
//! | 1 GiB | 2 | 100,810,752 | 101,466,112 |
//! | 1 → 6 GiB | 12 | 101,302,272 | 101,466,112 |
//! | 1 → 6 → 11 GiB | 21 | 101,748,736 | 101,470,208 |
//! | 1 → 6 → 11 → 16 GiB | 30 | 102,191,104 | 101,470,208 |
//! | 10 GiB | 2 | 100,810,752 | 101,466,112 |
//! | 10 → 15 GiB | 3 | 100,859,904 | 101,466,112 |
//! | 10 → 15 → 25 GiB | 5 | 100,958,208 | 101,466,112 |
//!
//! The reserve never goes below 8 MiB: beyond some 510 added groups (growth to 250 times the first size) the
//! overhead rises by 48 KiB per group.

use std::path::Path;

use super::command::{CommandError, run};
use super::fault::Fault;
use super::size::BLOCK;

const MIB: u64 = 1024 * 1024;
/// What an image loses to the file system: 97 MiB, always. The Platform states it as the class's overhead.
pub const OVERHEAD: u64 = 97 * MIB;
/// Left free beside a file as large as the volume: room for the first inodes, directories and extent maps.
const SPARE: u64 = 256 * 1024;
/// The log's size. `mkfs.xfs` would take more in a large image.
const LOG: u64 = 64 * MIB;
/// Blocks that each allocation group takes for itself.
const BLOCKS_PER_GROUP: u64 = 12;
/// Blocks in use in an empty file system beside those of the groups.
const BLOCKS_IN_USE: u64 = 8;
/// The least reserve in blocks: deletions and unwritten extents in a full file system draw on it.
const LEAST_RESERVE: u64 = 2048;
/// No allocation group is larger.
const LARGEST_GROUP: u64 = 1 << 40;

/// Makes a file system in the file `image` of `bytes`.
pub(crate) async fn make(image: &Path, bytes: u64) -> Result<(), CommandError> {
    let groups = format!("agcount={}", bytes.div_ceil(LARGEST_GROUP).max(2));
    let log = format!("size={LOG}");
    let options = ["-q", "-m", "reflink=0,finobt=0,rmapbt=0", "-d", &groups, "-l", &log, "--"];
    let mut arguments = options.map(AsRef::as_ref).to_vec();
    arguments.push(image.as_os_str());
    run("mkfs.xfs", &arguments).await.map(drop)
}

/// Grows the file system mounted on `mount` to the size of its device, and sets its reserve; repeatable.
pub(crate) async fn grow(mount: &Path) -> Result<(), Fault> {
    run("xfs_growfs", &["-d".as_ref(), mount.as_os_str()]).await?;
    let text = run("xfs_io", &["-r".as_ref(), "-c".as_ref(), "statfs".as_ref(), mount.as_os_str()]).await?;
    let shape = Shape::parse(&text)?;
    let reserve = format!("resblks {}", shape.reserve());
    run("xfs_io", &["-x".as_ref(), "-c".as_ref(), reserve.as_ref(), mount.as_os_str()]).await?;
    Ok(())
}

/// What the reserve depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Blocks of the data section, the log among them.
    blocks: u64,
    /// Blocks that are not the log's.
    without_log: u64,
    /// Allocation groups.
    groups: u64,
}

impl Shape {
    /// Reads the answer of `xfs_io -c statfs`: lines `name = number`.
    fn parse(text: &str) -> Result<Self, Fault> {
        let number = |name: &str| {
            let value = text.lines().filter_map(|line| line.split_once(" = ")).find(|(key, _)| key.trim() == name);
            value.and_then(|(_, value)| value.trim().parse().ok()).ok_or_else(|| {
                Fault::Internal(format!("xfs_io did not tell {name}; another version of xfsprogs may be installed"))
            })
        };
        let size: u64 = number("geom.bsize")?;
        if size != BLOCK {
            return Err(Fault::Precondition(format!(
                "the file system has blocks of {size} bytes, this driver makes {BLOCK}: delete the volume"
            )));
        }
        Ok(Self {
            blocks: number("geom.datablocks")?,
            without_log: number("statfs.f_blocks")?,
            groups: number("geom.agcount")?,
        })
    }

    /// The reserve in blocks that leaves exactly the net size free in an empty file system.
    fn reserve(self) -> u64 {
        let in_use = BLOCKS_PER_GROUP * self.groups + BLOCKS_IN_USE;
        let net = self.blocks.saturating_sub(OVERHEAD / BLOCK) + SPARE / BLOCK;
        self.without_log.saturating_sub(in_use).saturating_sub(net).max(LEAST_RESERVE)
    }
}

/// Room for the owner's data in a mounted volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes for data in all: the image without [`OVERHEAD`].
    pub(crate) total_bytes: u64,
    /// Bytes that can still be written, at most the total.
    pub(crate) available_bytes: u64,
    /// Files and directories that the volume could hold, as XFS estimates it from the free space.
    pub(crate) total_inodes: u64,
    /// How many of them are free.
    pub(crate) free_inodes: u64,
}

/// Reads how full the volume mounted on `mount` is.
pub(crate) fn usage(mount: &Path) -> Result<Usage, Fault> {
    let seen = rustix::fs::statvfs(mount).map_err(|error| Fault::io("read the usage of", mount)(error.into()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
    // The system's count is without the log already; taking off the rest makes "used" begin near zero.
    let total_bytes = bytes(seen.f_blocks).saturating_sub(OVERHEAD - LOG);
    Ok(Usage {
        total_bytes,
        available_bytes: bytes(seen.f_bavail).min(total_bytes),
        total_inodes: seen.f_files,
        free_inodes: seen.f_ffree,
    })
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::{LEAST_RESERVE, Shape};

    const ANSWER: &str = "fd.path = \"/mnt\"\nstatfs.f_bsize = 4096\nstatfs.f_blocks = 270592\n\
        statfs.f_bavail = 262000\ngeom.bsize = 4096\ngeom.agcount = 2\ngeom.agblocks = 143488\n\
        geom.datablocks = 286976\n";

    #[test]
    fn the_shape_is_read_from_xfs_io() {
        assert_eq!(Shape::parse(ANSWER).unwrap(), Shape { blocks: 286_976, without_log: 270_592, groups: 2 });
    }

    #[test]
    fn a_shape_that_is_not_told_is_an_error() {
        let text = Shape::parse("geom.bsize = 4096\n").unwrap_err().to_string();
        assert!(text.contains("geom.datablocks"), "{text}");
        assert!(Shape::parse(&ANSWER.replace("geom.bsize = 4096", "geom.bsize = 1024")).is_err());
    }

    /// Image sizes in blocks, as measured with 32 spare blocks, hence 32 fewer here.
    #[test_case(76_800, 2, 8384 - 32)]
    #[test_case(286_976, 2, 8384 - 32)]
    #[test_case(4_219_136, 30, 8048 - 32)]
    #[test_case(26_501_376, 185, 6188 - 32)]
    fn the_reserve_makes_up_for_the_groups(blocks: u64, groups: u64, reserve: u64) {
        assert_eq!(Shape { blocks, without_log: blocks - 16_384, groups }.reserve(), reserve);
    }

    #[test]
    fn the_reserve_has_a_floor() {
        let shape = Shape { blocks: 1 << 28, without_log: (1 << 28) - 16_384, groups: 5000 };
        assert_eq!(shape.reserve(), LEAST_RESERVE);
    }
}
