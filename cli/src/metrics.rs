//! Reads the text form of `OpenMetrics`, as `/metrics` writes it.

use std::collections::BTreeMap;

/// One value: its name, its labels, and how much it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// With its suffix, such as `_total`.
    pub(crate) name: String,
    /// By name.
    pub(crate) labels: BTreeMap<String, String>,
    /// The value.
    pub(crate) value: f64,
}

impl Sample {
    /// A label; empty where it has none of that name.
    #[must_use]
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// All values of one scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metrics(Vec<Sample>);

impl Metrics {
    /// From the text; a line that can't be read is passed over.
    #[must_use]
    pub(crate) fn read(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The samples of this name.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// Their sum, as far as `wanted`; nothing where there is none.
    #[must_use]
    pub(crate) fn sum(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> Option<f64> {
        let mut values = self.of(name).filter(|sample| wanted(sample)).map(|sample| sample.value).peekable();
        values.peek()?;
        Some(values.sum())
    }
}

/// What came of looking for answers in the cache: how many came out of it, and how many were asked for of a service.
#[must_use]
pub(crate) fn cache(metrics: &Metrics) -> Option<(f64, f64)> {
    const NAME: &str = "platform_cache_requests_total";
    let of = |results: &[&str]| metrics.sum(NAME, |sample| results.contains(&sample.label("result")));
    let (hits, misses) = (of(&["hit", "collapsed", "stale_if_error"]), of(&["miss", "failed"]));
    (hits.is_some() || misses.is_some()).then(|| (hits.unwrap_or_default(), misses.unwrap_or_default()))
}

/// `name{label="value",…} number`
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// What stands before the closing quotation mark, and what comes behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name_and_label_and_what_can_t_be_read_is_passed_over() {
        let text = "# HELP a_requests Answers.\n# TYPE a_requests counter\n\
            a_requests_total{service=\"gateway\",operation=\"say \\\"hi\\\", {you}\\n\"} 3\n\
            a_requests_total{service=\"users\",operation=\"x\"} 4.5 1700000000\n\
            broken{service=\"users} 1\nplain 7\nbroken\n# EOF\n";
        let metrics = Metrics::read(text);
        let all: Vec<&Sample> = metrics.of("a_requests_total").collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].label("operation"), "say \"hi\", {you}\n");
        assert_eq!(metrics.sum("a_requests_total", |_| true), Some(7.5));
        assert_eq!(metrics.sum("a_requests_total", |one| one.label("service") == "users"), Some(4.5));
        assert_eq!(metrics.sum("plain", |_| true), Some(7.0));
        assert_eq!(metrics.sum("nothing", |_| true), None);
    }
}
