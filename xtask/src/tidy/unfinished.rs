//! Nothing on the main branch is unfinished: no `todo!`, no `unimplemented!`, no ignored test.

use super::{finding::Finding, repository::Repository};

const MARKS: &[(&str, &str)] = &[
    (
        "todo!",
        "write it, or leave the operation out and list it as unsupported",
    ),
    (
        "unimplemented!",
        "write it, or answer with the protocol's own error",
    ),
    ("#[ignore", "make the test fast and certain, or remove it"),
];

/// Checks every line of code, ignoring comments and literals.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.rust() {
        for (number, line) in file.code_lines() {
            for (mark, advice) in MARKS {
                if line.contains(mark) {
                    findings.push(Finding::new(
                        &file.path,
                        number,
                        format!("`{mark}`: {advice}"),
                    ));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_in_code_and_not_in_comments_or_literals() {
        let text = "// todo!\nlet x = \"todo!\";\nfn f() { todo!() }\n#[ignore]\n";
        let findings = check(&Repository::of(&[("a.rs", text)]));
        assert_eq!(
            findings.iter().map(Finding::line).collect::<Vec<_>>(),
            [3, 4]
        );
    }
}
