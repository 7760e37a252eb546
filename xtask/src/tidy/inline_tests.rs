//! Tests of more than about 100 lines belong in `x/tests.rs` beside `x.rs`, so that the file shows
//! what it does.

use super::{finding::Finding, repository::Repository};

const LINES_MAX: usize = 120;

/// Checks the test module at the end of every file.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.rust().filter(|file| !file.is_test()) {
        let total = file.lines().count();
        let start = file
            .code_lines()
            .find(|(_, line)| line.starts_with("mod tests {"));
        if let Some((number, _)) = start
            && total - number >= LINES_MAX
        {
            let advice = format!(
                "{} lines of tests inline: move them to {}/tests.rs",
                total - number + 1,
                file.path.trim_end_matches(".rs")
            );
            findings.push(Finding::new(&file.path, number, advice));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_test_module_is_told_where_to_go() {
        let of = |lines: usize| format!("mod tests {{\n{}}}\n", "x();\n".repeat(lines));
        let repository = Repository::of(&[("a.rs", &of(118)), ("b.rs", &of(119))]);
        let findings = check(&repository);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].advice().ends_with("move them to b/tests.rs"));
    }
}
