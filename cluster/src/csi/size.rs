//! From the sizes of a request to the size of an image.

use super::fault::Fault;
use super::proto::v1::CapacityRange;

/// The smallest file system that `mkfs.xfs` makes; smaller requests are rounded up to it.
pub(crate) const SMALLEST: u64 = 300 * 1024 * 1024;
/// An image is a whole number of the file system's blocks.
pub(crate) const BLOCK: u64 = 4096;

/// The size asked for, checked once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The image's size in bytes: the request, rounded up to [`SMALLEST`] and to whole blocks.
    pub(crate) bytes: u64,
    /// The largest size allowed, when there is one.
    limit: Option<u64>,
}

impl Wanted {
    /// Checks a request's range; none means the smallest volume.
    pub(crate) fn parse(range: Option<&CapacityRange>) -> Result<Self, Fault> {
        let (required, limit) = range.map_or((0, 0), |range| (range.required_bytes, range.limit_bytes));
        let negative = |_| Fault::Invalid(format!("a size is negative: required {required}, limit {limit}"));
        let required = u64::try_from(required).map_err(negative)?;
        let limit = Some(u64::try_from(limit).map_err(negative)?).filter(|limit| *limit > 0);
        let bytes = required.max(SMALLEST).next_multiple_of(BLOCK);
        if let Some(limit) = limit.filter(|limit| *limit < bytes) {
            return Err(Fault::OutOfRange(format!(
                "no volume has at least {required} and at most {limit} bytes: the smallest that fits has {bytes}"
            )));
        }
        Ok(Self { bytes, limit })
    }

    /// Whether an image of `bytes` is what this request asks for.
    pub(crate) fn is_met_by(self, bytes: u64) -> bool {
        bytes >= self.bytes && self.limit.is_none_or(|limit| bytes <= limit)
    }
}

/// A size for an answer; the standard's sizes are signed.
pub(crate) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;
    use tonic::Code;

    use super::{SMALLEST, Wanted, signed};
    use crate::csi::proto::v1::CapacityRange;

    fn wanted(required_bytes: i64, limit_bytes: i64) -> Result<Wanted, super::Fault> {
        Wanted::parse(Some(&CapacityRange { required_bytes, limit_bytes }))
    }

    #[test_case(0, SMALLEST)]
    #[test_case(1, SMALLEST)]
    #[test_case(314_572_800, SMALLEST)]
    #[test_case(314_572_801, SMALLEST + 4096)]
    #[test_case(1_175_453_696, 1_175_453_696)]
    fn requests_are_rounded_up(required: i64, bytes: u64) {
        assert_eq!(wanted(required, 0).unwrap().bytes, bytes);
    }

    #[test]
    fn no_range_is_the_smallest_volume() {
        assert_eq!(Wanted::parse(None).unwrap().bytes, SMALLEST);
    }

    #[test]
    fn impossible_ranges_are_refused() {
        assert_eq!(wanted(-1, 0).unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(wanted(0, -1).unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(wanted(0, 1000).unwrap_err().code(), Code::OutOfRange);
        assert_eq!(wanted(314_572_801, 314_572_802).unwrap_err().code(), Code::OutOfRange);
    }

    #[test]
    fn an_existing_image_meets_a_repeated_request() {
        let again = wanted(400 << 20, 0).unwrap();
        assert!(again.is_met_by(400 << 20));
        assert!(again.is_met_by(500 << 20), "it was expanded since");
        assert!(!again.is_met_by(399 << 20));
        assert!(!wanted(400 << 20, 450 << 20).unwrap().is_met_by(500 << 20));
    }

    #[test]
    fn answers_do_not_overflow() {
        assert_eq!(signed(u64::MAX), i64::MAX);
    }
}
