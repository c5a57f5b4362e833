//! Paths that some frameworks take for others, though they differ: Express and ASP.NET Core by letters of another case, Express by a
//! slash at the end, servlets by what follows a `;`, Rails by an ending such as `.json`. Which a service is made with is not known
//! here, so a templated operation must not be led past the rules of a concrete one in any of these ways.

use http::Method;

use super::{Guarded, Leaf, Node, Segment};

impl<T: Guarded> Node<T> {
    /// Whether a service might take the path for a more concrete one than `own`, which is hidden or asks for more than
    /// `operation` does.
    pub(super) fn leads_past(
        &self,
        own: &Leaf<T>,
        operation: Option<(&Method, &T)>,
        segments: &[Segment<'_>],
    ) -> bool {
        let judge = |leaf: &Leaf<T>| {
            if std::ptr::eq(leaf, own) {
                return Some(false);
            }
            let is_twin = leaf.template.trim_end_matches('/') == own.template.trim_end_matches('/');
            let asks_more = || {
                operation.is_some_and(|(method, target)| {
                    leaf.methods.iter().any(|(known, _, other)| known == method && !target.opens(other))
                })
            };
            (!is_twin && (leaf.methods.is_empty() || asks_more())).then_some(true)
        };
        self.first(segments, &judge) == Some(true)
    }

    /// What is judged of the first leaf that anything is, more concrete ones first.
    fn first(&self, segments: &[Segment<'_>], judge: &impl Fn(&Leaf<T>) -> Option<bool>) -> Option<bool> {
        let end = |node: &Self| node.leaf.as_ref().and_then(judge);
        let Some((first, rest)) = segments.split_first() else {
            let slash = || self.literal.iter().find(|(text, _)| text.is_empty());
            return end(self).or_else(|| end(&slash()?.1));
        };
        if first.read.is_empty() && rest.is_empty() {
            return end(self).or_else(|| self.exact(&first.read)?.first(rest, judge));
        }
        let literal = match self.exact(&first.read) {
            Some(node) => node.first(rest, judge),
            None => self
                .literal
                .iter()
                .filter(|(text, _)| is_like(&first.read, text))
                .find_map(|(_, node)| node.first(rest, judge)),
        };
        let mixed = || {
            let mut fits = self.mixed.iter().filter(|(mixed, _)| mixed.lax.is_match(&first.read));
            fits.find_map(|(_, node)| node.first(rest, judge))
        };
        let parameter = || self.parameter.as_ref().filter(|_| !first.read.is_empty())?.first(rest, judge);
        literal.or_else(mixed).or_else(parameter)
    }

    fn exact(&self, text: &str) -> Option<&Self> {
        self.literal.iter().find(|(known, _)| known == text).map(|(_, node)| node)
    }
}

/// Whether `read` might be taken for `text`.
fn is_like(read: &str, text: &str) -> bool {
    if text.is_empty() {
        return false;
    }
    let (Some(start), Some(end)) = (read.get(..text.len()), read.get(text.len()..)) else { return false };
    let ends = end.is_empty() || end.starts_with([';', '.']);
    ends && (start.eq_ignore_ascii_case(text)
        || !text.is_ascii() && start.to_lowercase() == text.to_lowercase())
}
