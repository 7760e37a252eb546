//! The known exceptions from size limits: `xtask/tidy-exceptions.txt`.
//!
//! Each line is `kind place size`, as in `function crates/core/engine/src/x.rs::decide 84`. A
//! listed place may shrink, and its entry with it, but never grow.

use super::{file_length, finding::Finding, function_length, repository::Repository};

const PATH: &str = "xtask/tidy-exceptions.txt";

/// A size that a check measured.
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    /// `file` or `function`.
    pub(crate) kind: &'a str,
    /// The measured place, as named in the exception file.
    pub(crate) place: &'a str,
    /// How large it is.
    pub(crate) size: usize,
    /// The limit of its kind.
    pub(crate) limit: usize,
}

/// The problem with a measured size, if any.
pub(crate) fn judge(repository: &Repository, measured: &Measured<'_>) -> Option<String> {
    let Measured {
        kind,
        place,
        size,
        limit,
    } = *measured;
    if size <= limit {
        return None;
    }
    match listed(repository, kind, place) {
        None => Some(format!(
            "{kind} of {size} lines, the limit is {limit}: split it"
        )),
        Some(allowed) if size > allowed => Some(format!(
            "{kind} of {size} lines has grown past its exception of {allowed}: split it"
        )),
        Some(allowed) if size < allowed => Some(format!(
            "{kind} has shrunk: lower its entry in {PATH} from {allowed} to {size}"
        )),
        Some(_) => None,
    }
}

fn listed(repository: &Repository, kind: &str, place: &str) -> Option<usize> {
    entries(repository)
        .find(|entry| entry.kind == kind && entry.place == place)?
        .size
}

struct Entry<'a> {
    line: usize,
    kind: &'a str,
    place: &'a str,
    size: Option<usize>,
}

fn entries(repository: &Repository) -> impl Iterator<Item = Entry<'_>> {
    repository
        .file(PATH)
        .into_iter()
        .flat_map(|file| file.lines())
        .filter_map(|(line, text)| {
            let text = text.split('#').next().unwrap_or_default();
            let mut words = text.split_whitespace();
            let (kind, place) = (words.next()?, words.next()?);
            let size = words.next().and_then(|word| word.parse().ok());
            Some(Entry {
                line,
                kind,
                place,
                size,
            })
        })
}

/// Entries for nothing, or for something that no longer needs an exception.
pub(crate) fn stale(repository: &Repository) -> Vec<Finding> {
    let needed: Vec<(&str, String)> = file_length::over_limit(repository)
        .map(|place| ("file", place))
        .chain(function_length::over_limit(repository).map(|place| ("function", place)))
        .collect();
    entries(repository)
        .filter(|entry| {
            entry.size.is_none()
                || !needed
                    .iter()
                    .any(|(kind, place)| *kind == entry.kind && place == entry.place)
        })
        .map(|entry| {
            Finding::new(
                PATH,
                entry.line,
                "no longer needed, or not understood: remove",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "crates/a/src/x.rs";

    fn judged(exceptions: &str, size: usize) -> Option<String> {
        let repository = Repository::of(&[(PATH, exceptions)]);
        judge(
            &repository,
            &Measured {
                kind: "file",
                place: SOURCE,
                size,
                limit: 600,
            },
        )
    }

    #[test]
    fn an_exception_may_shrink_and_never_grow() {
        let listed = "file crates/a/src/x.rs 700 # generated tables\n";
        assert_eq!(judged(listed, 700), None);
        assert!(judged(listed, 701).is_some_and(|advice| advice.contains("grown")));
        assert!(judged(listed, 650).is_some_and(|advice| advice.contains("lower")));
        assert!(judged("", 601).is_some_and(|advice| advice.contains("split")));
        assert_eq!(judged("", 600), None);
    }

    #[test]
    fn an_entry_for_nothing_is_stale() {
        let repository = Repository::of(&[(PATH, "file crates/gone.rs 700\n")]);
        assert_eq!(stale(&repository).len(), 1);
    }
}
