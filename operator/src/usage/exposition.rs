//! Reads volume statistics from the text that kubelets expose for Prometheus, as it arrives.

use std::collections::HashMap;

use super::{Claim, Inodes, Usage};
use crate::core::Bytes;

/// What every sample of a volume begins with.
const FRONT: &str = "kubelet_volume_stats_";
/// The longest line that is read; longer ones are skipped.
const LONGEST_LINE: usize = 64 * 1024;

#[derive(Clone, Copy, Default)]
struct Samples {
    used: Option<u64>,
    available: Option<u64>,
    inodes: Option<u64>,
    inodes_free: Option<u64>,
}

/// Reads the text piece by piece and keeps nothing but volumes.
#[derive(Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    found: HashMap<Claim, Samples>,
}

impl Reader {
    /// Reads the next piece.
    pub(super) fn read(&mut self, piece: &[u8]) {
        let mut lines = piece.split(|byte| *byte == b'\n');
        self.extend(lines.next().unwrap_or_default());
        for start in lines {
            self.end_line();
            self.extend(start);
        }
    }

    /// The volumes of which both used and available were told.
    pub(super) fn finish(mut self) -> HashMap<Claim, Usage> {
        self.end_line();
        let complete = |(claim, samples): (Claim, Samples)| {
            let (used, available) = (Bytes::new(samples.used?), Bytes::new(samples.available?));
            // A file system that makes inodes as it goes may tell of none at all.
            let all = samples.inodes.filter(|all| *all > 0);
            let inodes = all.zip(samples.inodes_free).map(|(all, free)| Inodes { all, free });
            Some((claim, Usage { used, available, inodes }))
        };
        self.found.into_iter().filter_map(complete).collect()
    }

    fn extend(&mut self, bytes: &[u8]) {
        // One byte more than allowed marks the line as too long.
        let room = (LONGEST_LINE + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.len() <= LONGEST_LINE
            && line.starts_with(FRONT.as_bytes())
            && let Ok(line) = std::str::from_utf8(&line)
        {
            self.take(line);
        }
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (metric, rest) = line.strip_prefix(FRONT)?.split_once('{')?;
        let (claim, value) = labels(rest)?;
        let value = whole(value.split_whitespace().next()?)?;
        let choose: fn(&mut Samples) -> &mut Option<u64> = match metric {
            "used_bytes" => |samples| &mut samples.used,
            "available_bytes" => |samples| &mut samples.available,
            "inodes" => |samples| &mut samples.inodes,
            "inodes_free" => |samples| &mut samples.inodes_free,
            _ => return None,
        };
        *choose(self.found.entry(claim).or_default()) = Some(value);
        Some(())
    }
}

/// Splits `namespace="a",persistentvolumeclaim="b"} 1` into the claim and what follows.
fn labels(mut rest: &str) -> Option<(Claim, &str)> {
    let (mut namespace, mut name) = (None, None);
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((Claim { namespace: namespace?, name: name? }, after));
        }
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = unquote(after)?;
        match label {
            "namespace" => namespace = Some(value),
            "persistentvolumeclaim" => name = Some(value),
            _ => {}
        }
        rest = after;
    }
}

/// The text up to the closing quotation mark, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut symbols = text.char_indices();
    while let Some((at, symbol)) = symbols.next() {
        match symbol {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match symbols.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// A count, which Prometheus writes as a floating-point number.
fn whole(text: &str) -> Option<u64> {
    /// The largest float below 2^64.
    const LARGEST: f64 = 18_446_744_073_709_549_568.0;
    let value: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..=LARGEST).contains(&value).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"# HELP kubelet_volume_stats_used_bytes [ALPHA] Number of used bytes in the volume
# TYPE kubelet_volume_stats_used_bytes gauge
kubelet_volume_stats_used_bytes{namespace="school",persistentvolumeclaim="office-files"} 1.048576e+08
kubelet_volume_stats_used_bytes{namespace="school",persistentvolumeclaim="office-database"} 4096
kubelet_volume_stats_available_bytes{persistentvolumeclaim="office-files",namespace="school"} 5.36870912e+09 1700000000000
kubelet_volume_stats_available_bytes{namespace="school",persistentvolumeclaim="office-database"} 0
kubelet_volume_stats_capacity_bytes{namespace="school",persistentvolumeclaim="office-files"} 5.47e+09
kubelet_volume_stats_inodes{namespace="school",persistentvolumeclaim="office-files"} 600000
kubelet_volume_stats_inodes_free{namespace="school",persistentvolumeclaim="office-files"} 524288
kubelet_volume_stats_inodes{namespace="school",persistentvolumeclaim="office-database"} 0
kubelet_volume_stats_inodes_free{namespace="school",persistentvolumeclaim="office-database"} 0
kubelet_volume_stats_available_bytes{namespace="town",persistentvolumeclaim="half"} 1
kubelet_running_pods 3
"#;

    fn claim(namespace: &str, name: &str) -> Claim {
        Claim { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn read(pieces: &[&[u8]]) -> HashMap<Claim, Usage> {
        let mut reader = Reader::default();
        for piece in pieces {
            reader.read(piece);
        }
        reader.finish()
    }

    #[test]
    fn volumes_are_read_by_namespace_and_claim_in_any_order_of_labels() {
        let found = read(&[TEXT.as_bytes()]);
        let inodes = Some(Inodes { all: 600_000, free: 524_288 });
        let files = Usage { used: Bytes::new(104_857_600), available: Bytes::new(5_368_709_120), inodes };
        assert_eq!(found.get(&claim("school", "office-files")), Some(&files));
        let full = Usage { used: Bytes::new(4096), available: Bytes::ZERO, inodes: None };
        assert_eq!(found.get(&claim("school", "office-database")), Some(&full));
        assert_eq!(found.len(), 2, "half of the figures tells nothing: {found:?}");
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_does_not_matter(cuts in prop::collection::vec(0..TEXT.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.extend([0, TEXT.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &TEXT.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[TEXT.as_bytes()]));
        }

        #[test]
        fn no_text_makes_it_fail(text in "\\PC*", sample in "kubelet_volume_stats_used_bytes[{}\\\\\",= a-z0-9]*") {
            read(&[text.as_bytes(), b"\n", sample.as_bytes()]);
        }
    }

    #[test]
    fn a_value_that_is_no_count_is_not_taken_for_one() {
        for value in ["NaN", "+Inf", "-1", "1e30", "", "many"] {
            let text = format!(
                "kubelet_volume_stats_used_bytes{{namespace=\"a\",persistentvolumeclaim=\"b\"}} {value}\nkubelet_volume_stats_available_bytes{{namespace=\"a\",persistentvolumeclaim=\"b\"}} 1\n"
            );
            assert_eq!(read(&[text.as_bytes()]), HashMap::new(), "{value}");
        }
    }

    #[test]
    fn what_is_quoted_ends_no_label() {
        let (found, rest) = labels(r#"namespace="a\"}b\\",persistentvolumeclaim="c"} 7"#).unwrap();
        assert_eq!((found, rest), (claim("a\"}b\\", "c"), " 7"));
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_hides_nothing_after_it() {
        let mut reader = Reader::default();
        reader.read(FRONT.as_bytes());
        for _ in 0..100 {
            reader.read(&[b'x'; 8192]);
            assert!(reader.line.len() <= LONGEST_LINE + 1);
        }
        reader.read(b"\n");
        reader.read(TEXT.as_bytes());
        assert_eq!(reader.finish().len(), 2);
    }
}
