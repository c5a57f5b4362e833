//! A segment of a path as it was sent and as it is read.

use std::{borrow::Cow, ops::Range};

use contract::path;

/// One segment.
#[derive(Debug)]
pub(super) struct Segment<'p> {
    sent: &'p str,
    /// Decoded.
    pub(super) read: Cow<'p, str>,
}

/// The segments of a raw path.
pub(super) fn segments(path: &str) -> Vec<Segment<'_>> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    inner.split('/').map(|sent| Segment { sent, read: read(sent) }).collect()
}

/// The text of a segment; what can't be decoded stays as it is.
pub(super) fn read(sent: &str) -> Cow<'_, str> {
    if !sent.contains('%') {
        return Cow::Borrowed(sent);
    }
    path::decode(sent).unwrap_or(Cow::Borrowed(sent))
}

impl Segment<'_> {
    /// The whole as a parameter's raw text.
    pub(super) fn whole(&self) -> Cow<'_, str> {
        path::normalised(self.sent)
    }

    /// A range of what is read, as a parameter's raw text.
    pub(super) fn raw(&self, range: Range<usize>) -> String {
        let sent = self.sent_range(range);
        path::normalised(self.sent.get(sent).unwrap_or_default()).into_owned()
    }

    /// The segment as it goes on, where these ranges of what is read are parameters and all else is text of the template.
    pub(super) fn with_literals(&self, parameters: &[Range<usize>]) -> String {
        let mut written = String::with_capacity(self.sent.len());
        let literal = |written: &mut String, range: Range<usize>| {
            written.push_str(&path::encode(self.read.get(range).unwrap_or_default()));
        };
        let mut at = 0;
        for range in parameters {
            literal(&mut written, at..range.start);
            written.push_str(&self.raw(range.clone()));
            at = range.end;
        }
        literal(&mut written, at..self.read.len());
        written
    }

    /// Where a range of what is read stands in what was sent.
    fn sent_range(&self, range: Range<usize>) -> Range<usize> {
        let (mut start, mut at) = (self.sent.len(), 0);
        let is_decoded = matches!(self.read, Cow::Owned(_));
        for read in 0..=self.read.len() {
            if read == range.start {
                start = at;
            }
            if read == range.end {
                return start..at;
            }
            at += if is_decoded && self.sent.as_bytes().get(at) == Some(&b'%') { 3 } else { 1 };
        }
        start..self.sent.len()
    }
}
