//! The rules of STYLE.md that a machine can check. One file per rule; each is a function from the
//! repository to findings.

mod banned_words;
mod dependency_reasons;
mod exceptions;
mod file_length;
mod finding;
mod function_length;
mod inline_tests;
mod layers;
mod line_length;
mod links;
mod masked;
mod names;
mod panics;
mod plants;
mod protocol_headers;
mod repository;
mod shown_by;
mod unfinished;

use std::path::Path;

use finding::Finding;
pub(crate) use repository::Repository;

/// The result of all checks.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) files: usize,
    pub(crate) checks: usize,
    pub(crate) findings: Vec<Finding>,
}

type Check = fn(&Repository) -> Vec<Finding>;

/// The checks that need only the text of the files.
const CHECKS: &[Check] = &[
    banned_words::check,
    dependency_reasons::check,
    file_length::check,
    function_length::check,
    inline_tests::check,
    line_length::check,
    links::check,
    names::check,
    panics::check,
    plants::check,
    protocol_headers::check,
    shown_by::check,
    unfinished::check,
];

/// Runs every check on the repository at `root`.
pub(crate) fn run(root: &Path) -> anyhow::Result<Summary> {
    let repository = Repository::load(root)?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&repository)).collect();
    findings.extend(layers::check(root)?);
    findings.extend(exceptions::stale(&repository));
    findings.sort();
    Ok(Summary {
        files: repository.files().len(),
        checks: CHECKS.len() + 1,
        findings,
    })
}
