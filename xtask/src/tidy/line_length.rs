//! A Rust line of more than 100 characters doesn't fit beside another file. `cargo fmt` breaks
//! code; this check finds comments and literals that are too long. Addresses and drawings, which
//! can't be broken, are exempt, and so are test files: a test vector is easiest to read on one
//! line.

use super::{finding::Finding, repository::Repository};

const CHARACTERS_MAX: usize = 100;

/// Marks of addresses and drawings.
const UNBREAKABLE: &[&str] = &["https://", "│", "─"];

/// Checks every line of every Rust file except tests.
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
