//! A file of more than 600 lines contains more than one thing. Tests are exempt: a suite needn't be
//! read from the top.

use super::{
    exceptions::{self, Measured},
    finding::Finding,
    repository::{File, Repository},
};

const LINES_MAX: usize = 600;

/// Checks every Rust file except tests.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    measured(repository)
        .filter_map(|(file, size)| {
            let place = &file.path;
            let measured = Measured {
                kind: "file",
                place,
                size,
                limit: LINES_MAX,
            };
            let advice = exceptions::judge(repository, &measured)?;
            Some(Finding::new(place, 1, advice))
        })
        .collect()
}

/// The places that need an exception.
pub(crate) fn over_limit(repository: &Repository) -> impl Iterator<Item = String> {
    measured(repository)
        .filter(|(_, size)| *size > LINES_MAX)
        .map(|(file, _)| file.path.clone())
}

fn measured(repository: &Repository) -> impl Iterator<Item = (&File, usize)> {
    repository
        .rust()
        .filter(|file| !file.is_test())
        .map(|file| (file, file.lines().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_601_lines_is_too_long_unless_it_is_a_test() {
        let (fits, long) = ("\n".repeat(600), "\n".repeat(601));
        let repository = Repository::of(&[
            ("crates/a/src/fits.rs", &fits),
            ("crates/a/src/long.rs", &long),
            ("crates/a/src/long/tests.rs", &long),
            ("crates/a/tests/whole.rs", &long),
        ]);
        let findings = check(&repository);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .to_string()
                .starts_with("crates/a/src/long.rs:1: ")
        );
    }
}
