//! The platform's own records: one document that comes in pieces, since a ConfigMap has a largest size.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::document::told;
use super::{Setting, document, prepare};
use commonscloud_backup::records::{RECORDS_FILE, RECORDS_TAG, Records};
use commonscloud_backup::report::{Failure, Outcome};

/// The longest document: it is kept in memory.
const MOST: u64 = 128 << 20;

#[derive(Debug, clap::Args)]
pub struct Keep {
    #[command(flatten)]
    prepare: prepare::Prepare,
    /// Its pieces, gzipped as a whole: files whose order is that of their names.
    #[arg(long, value_name = "DIR", default_value = "/records")]
    pieces: PathBuf,
}

/// Makes the repository where there is none. What is stored is not gzipped: restic finds in it what it has already.
pub async fn keep(setting: &Setting, wanted: Keep) -> Result<Outcome, Failure> {
    let text = unpacked(&pieces(&wanted.pieces)?)?;
    let records = Records::read(&text).map_err(|error| Failure::other(error.to_string()))?;
    let Outcome::Prepared { repository, .. } = prepare::prepare(setting, wanted.prepare).await? else {
        return Err(Failure::other("the repository was prepared, and nobody knows its id"));
    };
    let tags = [RECORDS_TAG.to_owned(), format!("taken-at:{}", records.taken_at)];
    let snapshot = document::store(setting, RECORDS_FILE, text.as_bytes(), &tags).await?;
    Ok(Outcome::Kept { repository, snapshot })
}

/// All pieces, one after the other. What begins with two dots is the kubelet's own.
fn pieces(folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| told(folder, &error))? {
        let entry = entry.map_err(|error| told(folder, &error))?;
        if !entry.file_name().to_string_lossy().starts_with("..") {
            files.push(entry.path());
        }
    }
    files.sort();
    let read = |file: &PathBuf| fs::read(file).map_err(|error| told(file, &error));
    Ok(files.iter().map(read).collect::<Result<Vec<_>, _>>()?.concat())
}

fn unpacked(packed: &[u8]) -> Result<String, Failure> {
    let mut text = String::new();
    let mut limited = GzDecoder::new(packed).take(MOST + 1);
    let read = limited.read_to_string(&mut text);
    read.map_err(|error| Failure::other(format!("the pieces of the records are not whole: {error}")))?;
    if text.len() as u64 > MOST {
        return Err(Failure::other(format!("the records have more than {MOST} bytes, allowed: at most {MOST}")));
    }
    let rest = limited.into_inner().into_inner();
    if rest.is_empty() {
        Ok(text)
    } else {
        Err(Failure::other(format!("{} bytes follow the records: their pieces are of two documents", rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn pieces_come_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let whole = packed("what there is");
        fs::create_dir(folder.path().join("..data")).unwrap();
        for (at, piece) in whole.chunks(7).enumerate().collect::<Vec<_>>().into_iter().rev() {
            fs::write(folder.path().join(format!("{at:04}")), piece).unwrap();
        }
        assert_eq!(unpacked(&pieces(folder.path()).unwrap()).unwrap(), "what there is");
    }

    #[test]
    fn half_a_document_or_more_than_one_is_none() {
        let whole = packed("what there is");
        for end in 0..whole.len() {
            assert!(unpacked(&whole[..end]).unwrap_err().message.contains("not whole"), "{end}");
        }
        let two = [whole.clone(), whole].concat();
        assert!(unpacked(&two).unwrap_err().message.contains("two documents"));
    }
}
