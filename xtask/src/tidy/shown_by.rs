//! Each row of a table with the column "shown by" must name tests that exist: `file.test` for
//! Python, `file::test` for Rust.

use super::{
    finding::Finding,
    repository::{File, Repository},
};

const COLUMN: &str = "shown by";

/// Checks the last column of every such table of every Markdown file.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let pages = repository
        .files()
        .iter()
        .filter(|file| file.path.ends_with(".md"));
    pages.flat_map(|page| judge(repository, page)).collect()
}

fn judge(repository: &Repository, page: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_in_table = false;
    for (number, line) in page.lines() {
        let Some(last) = last_cell(line) else {
            is_in_table = false;
            continue;
        };
        if last == COLUMN {
            is_in_table = true;
        } else if is_in_table && !last.starts_with("---") {
            let mut advise = |advice| findings.push(Finding::new(&page.path, number, advice));
            let tests: Vec<_> = names(last).collect();
            if tests.is_empty() {
                advise("name a test that shows what this row says".to_owned());
            }
            for test in tests {
                if !exists(repository, test) {
                    advise(format!("there is no test `{test}`"));
                }
            }
        }
    }
    findings
}

/// The last cell of a table's row.
fn last_cell(line: &str) -> Option<&str> {
    let row = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    row.rsplit('|').next().map(str::trim)
}

/// The texts in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn exists(repository: &Repository, test: &str) -> bool {
    if let Some((file, function)) = test.split_once("::") {
        let defined = format!("fn {function}(");
        let is_file = |path: &str| {
            path.ends_with(&format!("/{file}.rs")) || path.contains(&format!("/{file}/"))
        };
        let mut files = repository.files().iter();
        return files.any(|it| is_file(&it.path) && it.code.contains(&defined));
    }
    let Some((file, function)) = test.split_once('.') else {
        return false;
    };
    let defined = format!("\ndef {function}(");
    let mut files = repository.files().iter();
    files.any(|it| it.path.ends_with(&format!("/{file}.py")) && it.text.contains(&defined))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_tests_that_exist() {
        let page = "| what | | shown by |\n|---|---|---|\n| a | ✔ | `pages.one` |\n\
                    | b | ✔ | `tests::two`, `deep::three` |\n| c | ✔ | |\n\
                    | d | ✔ | `pages.gone` |\n\
                    \n| what | |\n|---|---|\n| e | ✔ |\n";
        let repository = Repository::of(&[
            ("docs/page.md", page),
            ("tests/pages.py", "\ndef one():\n    pass\n"),
            ("src/tests.rs", "fn two() {}\n"),
            ("src/deep/tests.rs", "fn three() {}\n"),
        ]);
        let findings = check(&repository);
        let lines: Vec<_> = findings.iter().map(Finding::line).collect();
        assert_eq!(lines, [5, 6]);
    }
}
