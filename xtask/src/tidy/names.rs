//! Names describe things. A file or module named for being shared, and a type named for managing
//! something, doesn't say what it is.

use super::{finding::Finding, repository::Repository};

/// Words not allowed in the names of files, directories and modules.
const IN_MODULES: &[&str] = &["util", "utils", "common", "misc", "helper", "helpers"];

/// Words not allowed in the names of types.
const IN_TYPES: &[&str] = &["Manager", "Helper", "Util"];

const KEYWORDS_OF_TYPES: &[&str] = &["struct ", "enum ", "trait ", "type ", "union "];

/// Checks the paths of all files, and the declarations in the Rust files.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.files() {
        if let Some(word) = banned_module_word(&file.path) {
            findings.push(Finding::new(&file.path, 1, advice(word)));
        }
        for (number, line) in file.code_lines() {
            let module = declared(line, "mod ").and_then(banned_module_word);
            let named = KEYWORDS_OF_TYPES
                .iter()
                .find_map(|keyword| declared(line, keyword));
            if let Some(word) = module.or_else(|| named.and_then(banned_type_word)) {
                findings.push(Finding::new(&file.path, number, advice(word)));
            }
        }
    }
    findings
}

fn advice(word: &str) -> String {
    format!("`{word}` in a name says nothing: name what it holds or does")
}

/// The name that `line` declares with `keyword`.
fn declared<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        rest.trim_start_matches(|c: char| c == '(' || c == ')' || c.is_alphabetic())
            .trim_start()
    });
    let rest = line.strip_prefix(keyword)?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

fn banned_module_word(path: &str) -> Option<&'static str> {
    let has = |word: &&&str| path.split(['/', '.', '_', '-']).any(|part| part == **word);
    IN_MODULES.iter().find(has).copied()
}

fn banned_type_word(name: &str) -> Option<&'static str> {
    IN_TYPES.iter().find(|word| name.contains(**word)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_in_paths_modules_and_types() {
        let repository = Repository::of(&[
            ("crates/a/src/test_utils.rs", ""),
            (
                "crates/a/src/b.rs",
                "pub(crate) mod common;\nstruct QueueManager;\n",
            ),
            (
                "crates/a/src/c.rs",
                "fn longest_common_prefix() {}\nstruct Recommon;\n",
            ),
        ]);
        let found: Vec<String> = check(&repository).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/test_utils.rs:1: `utils`"));
        assert!(found[1].starts_with("crates/a/src/b.rs:1: `common`"));
        assert!(found[2].starts_with("crates/a/src/b.rs:2: `Manager`"));
    }
}
