//! Metrics out of a registry's text (OpenMetrics 1.0, section 5).
//!
//! A registry gives its values in no other form that can be read. The text is
//! `prometheus-client`'s own, so a line that isn't understood is left out instead of being an
//! error.

/// Metrics of one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

/// What they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    #[default]
    Gauge,
    Histogram,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// What the name has behind that of the family: `_total`, `_bucket`, or nothing.
    pub(crate) suffix: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// Reads a text.
pub(crate) fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            describe(&mut families, comment);
        } else if let Some(family) = families.last_mut()
            && let Some(sample) = sample(line, &family.name)
        {
            family.samples.push(sample);
        }
    }
    families.retain(|family| !family.samples.is_empty());
    families
}

/// `HELP name text` or `TYPE name type`.
fn describe(families: &mut Vec<Family>, comment: &str) {
    let mut words = comment.splitn(3, ' ');
    let (Some(what), Some(name)) = (words.next(), words.next()) else {
        return;
    };
    if families.last().is_none_or(|last| last.name != name) {
        families.push(Family {
            name: name.to_owned(),
            ..Family::default()
        });
    }
    let rest = words.next().unwrap_or_default();
    let Some(family) = families.last_mut() else {
        return;
    };
    match (what, rest) {
        ("HELP", help) => family.help = help.to_owned(),
        ("TYPE", "counter") => family.kind = Kind::Counter,
        ("TYPE", "histogram") => family.kind = Kind::Histogram,
        _ => {}
    }
}

/// `name_suffix{label="value"} number`
fn sample(line: &str, family: &str) -> Option<Sample> {
    let rest = line.strip_prefix(family)?;
    let end = rest.find(['{', ' '])?;
    let (suffix, rest) = rest.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_ascii_whitespace().next()?;
    Some(Sample {
        suffix: suffix.to_owned(),
        labels,
        value: value.parse().ok()?,
    })
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((name.to_owned(), value));
        rest = after;
    }
}

/// A text up to its closing quotation mark, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        encoding::text::encode,
        metrics::{
            counter::Counter, family::Family as Metrics, gauge::Gauge, histogram::Histogram,
        },
        registry::Registry,
    };

    use super::*;

    fn label(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_a_registry_writes_is_read() {
        let mut registry = Registry::default();
        let failures = Metrics::<Vec<(String, String)>, Counter>::default();
        registry.register("failures", "Failed attempts", failures.clone());
        let odd = vec![label("handler", "a \"b\"\\\n{c}, d"), label("class", "é")];
        failures.get_or_create(&odd).inc_by(3);
        let depth = Gauge::<i64>::default();
        registry.register("queue_depth", "Messages that wait", depth.clone());
        depth.set(-7);
        let seconds = Histogram::new([0.5, 1.0]);
        registry.register("processing_seconds", "Time", seconds.clone());
        seconds.observe(0.75);
        let none = Metrics::<Vec<(String, String)>, Counter>::default();
        registry.register("none", "Nothing is counted", none);
        let mut text = String::new();
        encode(&mut text, &registry).expect("written");

        let read = families(&text);
        let names: Vec<(&str, Kind)> = read.iter().map(|it| (&*it.name, it.kind)).collect();
        let expected = [
            ("failures", Kind::Counter),
            ("queue_depth", Kind::Gauge),
            ("processing_seconds", Kind::Histogram),
        ];
        assert_eq!(names, expected, "{text}");
        assert_eq!(read[0].help, "Failed attempts.");
        let failures = Sample {
            suffix: "_total".to_owned(),
            labels: odd,
            value: 3.0,
        };
        assert_eq!(read[0].samples, [failures]);
        assert_eq!(read[1].samples[0].value, -7.0);
        let buckets: Vec<f64> = read[2]
            .samples
            .iter()
            .filter(|sample| sample.suffix == "_bucket")
            .map(|sample| sample.value)
            .collect();
        assert_eq!(buckets, [0.0, 1.0, 1.0]);
    }

    #[test]
    fn lines_that_are_not_understood_are_left_out() {
        let text =
            "stray 1\n# TYPE a counter\na_total{x=\"1} 2\na_total two\na_total 4\nb 5\n# EOF\n";
        let read = families(text);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].samples.len(), 1);
        assert_eq!(read[0].samples[0].value, 4.0);
    }
}
