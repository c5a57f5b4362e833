//! The body of an answer, as long as it may be: a server that never ends must not take all memory.

/// The longest body of an answer, in bytes. The longest of the platform's own, a page of 1,000 users with the longest names, has
/// less than 4 MiB; JSON made for it takes fifty times as much memory (measured: `[[],[],…]`).
const LONGEST: usize = 8 * 1024 * 1024;

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The connection broke, or took too long.
    Broken(reqwest::Error),
    /// It is longer than [`LONGEST`].
    TooLong,
}

impl Unread {
    /// What is told of [`Self::TooLong`].
    pub(crate) const TOO_LONG: &str = "its answer is longer than 8 MiB, and was not read on";
}

/// Reads the body.
pub(crate) async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(Unread::Broken)? {
        if body.len() + part.len() > LONGEST {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
