//! What restic says, read while it runs: lines of an answer, whole or not at all, and the end of its words.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Of one line.
const MOST_OF_A_LINE: usize = 4 << 20;
/// The end of what it says in words.
const MOST_WORDS: usize = 64 << 10;
/// Why there is no answer.
pub const NOT_READ: &str = "what it said was not read to its end";

/// A line of what restic says.
enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

/// All lines but those about progress, or why these are not all of them. It is read to its end in any case: restic
/// must not wait.
pub async fn lines(stdout: impl AsyncRead + Unpin, most: usize) -> Result<Vec<String>, String> {
    let (mut kept, mut size, mut flaw) = (Vec::new(), 0, None);
    let mut reader = BufReader::new(stdout);
    loop {
        let line = match next_line(&mut reader).await? {
            Line::Text(line) => line,
            Line::TooLong => {
                flaw = Some(format!("it wrote a line of more than {MOST_OF_A_LINE} bytes"));
                continue;
            }
            Line::End => return flaw.map_or(Ok(kept), Err),
        };
        let text = String::from_utf8_lossy(&line);
        let is_noise = text.starts_with(r#"{"message_type":"status""#)
            || text.starts_with(r#"{"message_type":"verbose_status","action":"unchanged""#);
        if is_noise || flaw.is_some() {
            continue;
        }
        size += text.len() + 1;
        if size > most {
            flaw = Some(format!("it wrote more than {most} bytes"));
        } else {
            kept.push(text.into_owned());
        }
    }
}

async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Line, String> {
    let (mut line, mut length) = (Vec::new(), 0);
    loop {
        let piece = reader.fill_buf().await.map_err(|error| format!("{NOT_READ}: {error}"))?;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let is_end = piece.is_empty() || end.is_some();
        if piece.is_empty() && length == 0 {
            return Ok(Line::End);
        }
        let part = &piece[..end.unwrap_or(piece.len())];
        length += part.len() + usize::from(end.is_some());
        if length <= MOST_OF_A_LINE {
            line.extend_from_slice(part);
        }
        let read = part.len() + usize::from(end.is_some());
        reader.consume(read);
        if is_end {
            return Ok(if length > MOST_OF_A_LINE { Line::TooLong } else { Line::Text(line) });
        }
    }
}

/// The end of what restic says, however much that is.
pub async fn last_words(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut words = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        words.extend_from_slice(&piece[..read]);
        if words.len() > 2 * MOST_WORDS {
            words.drain(..words.len() - MOST_WORDS);
        }
    }
    String::from_utf8_lossy(&words).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use test_case::test_case;
    use tokio::io::ReadBuf;

    use super::*;

    fn read(text: impl AsRef<[u8]>, most: usize) -> Result<Vec<String>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lines(text.as_ref(), most))
    }

    #[test_case("" => Ok(Vec::new()); "nothing")]
    #[test_case("a\n\nb" => Ok(vec!["a".to_owned(), String::new(), "b".to_owned()]); "the last without an end")]
    #[test_case("{\"message_type\":\"status\",\"x\":1}\na\n" => Ok(vec!["a".to_owned()]); "progress")]
    fn lines_are_kept(text: &str) -> Result<Vec<String>, String> {
        read(text, 100)
    }

    #[test]
    fn an_answer_has_as_many_bytes_as_are_wanted_or_it_is_none() {
        assert_eq!(read("aaa\nbbb\n", 8).unwrap().len(), 2);
        assert!(read("aaa\nbbb\nc\n", 8).unwrap_err().contains("more than 8 bytes"));
    }

    #[test]
    fn a_line_is_not_longer_than_memory_allows() {
        assert_eq!(read("x".repeat(MOST_OF_A_LINE), usize::MAX).unwrap().len(), 1);
        let error = read("x".repeat(MOST_OF_A_LINE + 1) + "\na\n", usize::MAX).unwrap_err();
        assert!(error.contains("a line of more than"), "{error}");
    }

    struct Broken;

    impl AsyncRead for Broken {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::other("bad sector")))
        }
    }

    #[tokio::test]
    async fn half_of_what_it_said_is_no_answer() {
        let begun = tokio::io::AsyncReadExt::chain(&b"a\n"[..], Broken);
        let error = lines(begun, 100).await.unwrap_err();
        assert!(error.contains("bad sector"), "{error}");
    }
}
