//! Where a request stands among the calls that it is part of (W3C Trace Context): read from who is believed, else begun here,
//! and told to every service that is called for it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that names the trace and the caller's span.
pub const PARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header in which tracing systems keep what is theirs.
pub const STATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest `tracestate` that is passed on (§3.3.1.5).
const STATE_BYTES: usize = 512;

tokio::task_local! {
    static CURRENT: Trace;
}

/// One span of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    id: [u8; 16],
    span: [u8; 8],
    parent: Option<[u8; 8]>,
    sampled: bool,
    state: Option<HeaderValue>,
}

impl Trace {
    /// A trace that begins here.
    #[must_use]
    pub fn begin(sampled: bool) -> Self {
        Self { id: uuid::Uuid::new_v4().into_bytes(), span: fresh_span(), parent: None, sampled, state: None }
    }

    /// A span of the trace that the headers tell of; `None` where they tell of none, or not well.
    #[must_use]
    pub fn accept(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(PARENT).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let (id, parent, flags) = parse(line.to_str().ok()?)?;
        Some(Self {
            id,
            span: fresh_span(),
            parent: Some(parent),
            sampled: flags & 1 == 1,
            state: state(headers),
        })
    }

    /// A span below this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: fresh_span(), parent: Some(self.span), ..self.clone() }
    }

    /// Writes it on a request to a service, in the place of whatever stood there.
    pub fn tell(&self, headers: &mut HeaderMap) {
        headers.remove(STATE);
        if let Ok(parent) = HeaderValue::try_from(self.written()) {
            headers.insert(PARENT, parent);
            if let Some(state) = &self.state {
                headers.insert(STATE, state.clone());
            }
        }
    }

    /// The trace's id, as logs name it.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.id)
    }

    /// Whether its spans are exported.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// As `traceparent` has it (§3.2).
    fn written(&self) -> String {
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        push_hex(&mut text, &self.id);
        text.push('-');
        push_hex(&mut text, &self.span);
        text.push_str(if self.sampled { "-01" } else { "-00" });
        text
    }

    pub(crate) fn bytes(&self) -> ([u8; 16], [u8; 8], Option<[u8; 8]>) {
        (self.id, self.span, self.parent)
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.written())
    }
}

/// The trace of the request that this task serves.
#[must_use]
pub fn current() -> Option<Trace> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Serves a request as this span.
pub fn within<F: Future>(trace: Trace, serve: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(trace, serve)
}

fn fresh_span() -> [u8; 8] {
    let random = uuid::Uuid::new_v4().into_bytes();
    let mut span = [0; 8];
    span.copy_from_slice(&random[8..]);
    span
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn parse(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let mut parts = text.trim_matches([' ', '\t']).split('-');
    let [version] = unhex::<1>(parts.next()?)?;
    let (id, parent) = (unhex::<16>(parts.next()?)?, unhex::<8>(parts.next()?)?);
    let [flags] = unhex::<1>(parts.next()?)?;
    // A later version may have more to say; this one has not.
    let well =
        version != 0xff && (version != 0 || parts.next().is_none()) && id != [0; 16] && parent != [0; 8];
    well.then_some((id, parent, flags))
}

/// Lower case alone (§3.2.2).
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != N * 2 || !text.bytes().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Several lines are one list; one that is too long is dropped whole.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Option<Vec<&str>> = headers.get_all(STATE).iter().map(|line| line.to_str().ok()).collect();
    let joined = lines?.join(",");
    (!joined.is_empty() && joined.len() <= STATE_BYTES).then(|| HeaderValue::try_from(joined).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn accept(lines: &[(&'static str, &str)]) -> Option<Trace> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        Trace::accept(&headers)
    }

    #[test]
    fn a_trace_goes_on_under_a_span_of_our_own_and_its_state_unaltered() {
        let trace = accept(&[("traceparent", SENT), ("tracestate", "a=1"), ("tracestate", "b=2")]).unwrap();
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let mut told = HeaderMap::new();
        told.insert("tracestate", "forged=1".parse().unwrap());
        let child = trace.child();
        child.tell(&mut told);
        let parent = told["traceparent"].to_str().unwrap();
        assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && parent.ends_with("-01"));
        assert!(!parent.contains("00f067aa0ba902b7") && parent != trace.to_string());
        assert_eq!(told["tracestate"], "a=1,b=2");
        assert_eq!(child.parent, Some(trace.span));
    }

    #[test]
    fn what_is_not_well_formed_begins_no_trace_of_others() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            &format!("{SENT}-x"),
            &SENT.to_uppercase(),
            &SENT.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            &format!("{SENT}0"),
        ] {
            assert_eq!(accept(&[("traceparent", text)]), None, "{text}");
        }
        assert_eq!(accept(&[("traceparent", SENT), ("traceparent", SENT)]), None);
        // A later version may hold more.
        assert!(accept(&[("traceparent", &format!("{}-more", SENT.replacen("00", "01", 1)))]).is_some());
        let long = format!("a={}", "x".repeat(600));
        assert_eq!(accept(&[("traceparent", SENT), ("tracestate", &long)]).unwrap().state, None);
    }
}
