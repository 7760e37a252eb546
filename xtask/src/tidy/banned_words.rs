//! The repository's text is about Stele, not about how or where it was written.

use super::{finding::Finding, repository::Repository};

/// Phrases about the writing instead of the work. Lower case.
const PHRASES: &[&str] = &[
    "language model",
    "ai assistant",
    "coding agent",
    "sub-agent",
    "subagent",
    "other agents",
    "team lead",
    "work session",
    "in this session",
];

/// Prefixes of paths that exist only on one machine.
const PATHS: &[&str] = &["/work/", "/root/", "/home/"];

/// This file, which has to contain them.
const SELF: &str = "xtask/src/tidy/banned_words.rs";

/// Checks every line of every text file.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.files().iter().filter(|file| file.path != SELF) {
        for (number, line) in file.lines() {
            let lower = line.to_lowercase();
            for phrase in PHRASES.iter().filter(|phrase| lower.contains(**phrase)) {
                let advice = format!("`{phrase}`: say it of the project, or not at all");
                findings.push(Finding::new(&file.path, number, advice));
            }
            for path in PATHS.iter().filter(|path| starts_path(line, path)) {
                let advice = format!("`{path}` is a path of one machine: make it relative");
                findings.push(Finding::new(&file.path, number, advice));
            }
        }
    }
    findings
}

/// Whether `line` contains an absolute path that starts with `path`; `a/work/b` doesn't count.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}*)".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_found_and_relative_ones_are_not() {
        let text = "see /home/ann/x\nsee src/work/x and ~/work/y\nfrom \"/work/z\"\n";
        let findings = check(&Repository::of(&[("a.md", text)]));
        assert_eq!(
            findings.iter().map(Finding::line).collect::<Vec<_>>(),
            [1, 3]
        );
    }

    #[test]
    fn phrases_are_found_in_any_case() {
        let findings = check(&Repository::of(&[("a.md", "A Language Model wrote it\n")]));
        assert_eq!(findings.len(), 1);
    }
}
