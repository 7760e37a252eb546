//! Each protocol operation's file begins with the same header: what the operation is, its versions
//! or fields, deviations, and the specification.
//!
//! ```text
//! //! Produce (key 0): appends batches to partitions.
//! //!
//! //! Versions: 3 to 12.
//! //! Deviations: acks=1 waits as long as acks=all.
//! //! Spec: Kafka protocol guide, "Produce API"; KIP-98.
//! ```

use super::{
    finding::Finding,
    repository::{File, Repository},
};

/// The directories of a front with one operation per file.
const FOLDERS: &[&str] = &["operations", "handlers", "methods", "actions", "apis"];

/// Checks every operation of every client protocol.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    repository
        .rust()
        .filter(|file| is_operation(&file.path))
        .filter_map(|file| {
            let missing = missing(file);
            let advice = format!(
                "the header names no {}: open with `//!` lines that say what the operation is, \
                 then `Deviations:` and `Spec:`",
                missing.join(" and no ")
            );
            (!missing.is_empty()).then(|| Finding::new(&file.path, 1, advice))
        })
        .collect()
}

fn is_operation(path: &str) -> bool {
    let mut parts = path.split('/');
    let front = parts.next() == Some("crates")
        && parts.next() == Some("front")
        && parts
            .next()
            .is_some_and(|name| ["kafka", "amqp", "sqs"].contains(&name))
        && parts.next() == Some("src")
        && parts.next().is_some_and(|folder| FOLDERS.contains(&folder));
    // Deeper files are parts of an operation; a module's own file only lists them.
    let file = parts.next().unwrap_or_default();
    front && parts.next().is_none() && file != "mod.rs" && file != "tests.rs"
}

fn missing(file: &File) -> Vec<&'static str> {
    let header: String = file
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect::<Vec<_>>()
        .join("\n");
    let header = header.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| header.contains(word));
    let mut missing = Vec::new();
    if header.is_empty() {
        missing.push("purpose");
    }
    if !names(&["deviation"]) {
        missing.push("deviations");
    }
    if !names(&["spec", "kip-", "section", "https://"]) {
        missing.push("specification");
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_deviations_and_specification() {
        let whole = "//! Produce.\n//!\n//! Deviations: none.\n//! Spec: KIP-98.\n\nuse x;\n";
        let half = "//! Produce.\n\n// Deviations: none. Spec: KIP-98.\n";
        let repository = Repository::of(&[
            ("crates/front/kafka/src/operations/k00_produce.rs", whole),
            ("crates/front/kafka/src/operations/k01_fetch.rs", half),
            ("crates/front/kafka/src/driver.rs", ""),
            ("crates/front/kafka/src/operations/k01_fetch/tests.rs", ""),
        ]);
        let findings = check(&repository);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .advice()
                .contains("no deviations and no specification")
        );
    }
}
