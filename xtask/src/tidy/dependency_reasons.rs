//! A dependency is listed once, in the workspace manifest, with its reason beside it.

use super::{finding::Finding, repository::Repository};

const WORKSPACE: &str = "Cargo.toml";

/// Checks that the workspace's dependencies have reasons, and that the members inherit theirs.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let manifests = repository
        .files()
        .iter()
        .filter(|file| file.path.rsplit('/').next() == Some(WORKSPACE));
    let mut findings = Vec::new();
    for file in manifests {
        let mut section = "";
        for (number, line) in file.lines() {
            if line.starts_with('[') {
                section = line.trim();
                continue;
            }
            if let Some(advice) = judge(&file.path, section, line) {
                findings.push(Finding::new(&file.path, number, advice));
            }
        }
    }
    findings
}

fn judge(path: &str, section: &str, line: &str) -> Option<String> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    if name.starts_with('#') {
        return None;
    }
    let own = value.contains("path =");
    let has_reason = line
        .split_once('#')
        .is_some_and(|(_, reason)| !reason.trim().is_empty());
    match section {
        "[workspace.dependencies]" if !own && !has_reason => Some(format!(
            "`{name}` has no reason: say in a comment on its line what it is for"
        )),
        "[dependencies]" | "[dev-dependencies]" | "[build-dependencies]"
            if !path.starts_with("fuzz/") && !line.contains("workspace = true") =>
        {
            Some(format!(
                "`{name}` is not the workspace's: move it there and inherit it"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\na = \"1\" # for this\nb = \"2\"\n\
                    c = { path = \"c\" }\n[profile.dev]\nd = 1\n";
        let findings = check(&Repository::of(&[("Cargo.toml", text)]));
        assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_member_inherits_its_dependencies() {
        let text = "[dependencies]\na.workspace = true\nb = { workspace = true }\nc = \"1\"\n";
        let findings = check(&Repository::of(&[("crates/a/Cargo.toml", text)]));
        assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), [4]);
    }
}
