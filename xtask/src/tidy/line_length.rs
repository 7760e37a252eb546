//! A Rust line of over 100 characters doesn't fit beside another file. `cargo fmt` breaks code;
//! this finds what it leaves: comments and literals. What can't be broken stays: addresses and
//! drawings. Test files are exempt: a vector reads best on one line.

use super::{finding::Finding, repository::Repository};

const CHARACTERS_MAX: usize = 100;

/// Marks of addresses and of drawn frames.
const UNBREAKABLE: &[&str] = &["https://", "│", "─"];

/// Every line of every Rust file but tests.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.rust().filter(|file| !file.is_test()) {
        for (number, line) in file.lines() {
            let length = line.chars().count();
            if length > CHARACTERS_MAX && !UNBREAKABLE.iter().any(|mark| line.contains(mark)) {
                let advice = format!("line of {length} characters, the limit is 100: break it");
                findings.push(Finding::new(&file.path, number, advice));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_101_characters_is_too_long_unless_it_is_an_address() {
        let (fits, long) = ("ä".repeat(100), "ä".repeat(101));
        let address = format!("// https://example.org/{long}");
        let text = format!("{fits}\n{long}\n{address}\n");
        let findings = check(&Repository::of(&[("a.rs", &text)]));
        assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), [2]);
    }
}
