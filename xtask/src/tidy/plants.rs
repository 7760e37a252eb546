//! Every law of the simulator has planted bugs, and the text that each bug replaces still exists:
//! otherwise a change of the code would disable the bug unnoticed.

use super::{finding::Finding, repository::Repository};
use crate::plant::bug::{Bug, PLANTS, of_file};

/// Where the laws are.
const LAWS: &str = "crates/test/sim/src/laws/l";

/// Checks the laws, and the files of bugs.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.files() {
        if is_law(&file.path) {
            findings.extend(without_bugs(repository, &file.path));
        }
        if file.path.starts_with(PLANTS) {
            match of_file(&file.path, &file.text) {
                Ok(bugs) => {
                    let misplaced = bugs.iter().filter_map(|bug| misplaced(repository, bug));
                    findings.extend(misplaced.map(|advice| Finding::new(&file.path, 1, advice)));
                }
                Err(error) => findings.push(Finding::new(&file.path, 1, format!("{error:#}"))),
            }
        }
    }
    findings
}

/// Whether a file is a law, and not a part of one in a folder with its name.
fn is_law(path: &str) -> bool {
    let name = path.strip_prefix(LAWS);
    name.is_some_and(|name| !name.contains('/'))
}

/// Reports a law without planted bugs.
fn without_bugs(repository: &Repository, law: &str) -> Option<Finding> {
    let name = law.rsplit('/').next()?.strip_suffix(".rs")?;
    let path = format!("{PLANTS}{name}.toml");
    let advice = format!("no bug is planted for this law: write down one in {path}");
    let is_missing = repository.file(&path).is_none();
    is_missing.then(|| Finding::new(law, 1, advice))
}

fn misplaced(repository: &Repository, bug: &Bug) -> Option<String> {
    let Bug {
        name, file, find, ..
    } = bug;
    let Some(found) = repository.file(file) else {
        return Some(format!("`{name}`: {file} is not in the repository"));
    };
    let count = found.text.matches(find.as_str()).count();
    (count != 1)
        .then(|| format!("`{name}`: its text occurs {count} times in {file}, and is to occur once"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: &str = "crates/test/sim/src/laws/l01_first.rs";
    const BUGS: &str = "crates/test/sim/plants/l01_first.toml";

    fn bug_in(file: &str) -> String {
        format!("[[bug]]\nname = \"odd\"\nfile = \"{file}\"\nfind = \"a + b\"\nplant = \"a - b\"\n")
    }

    fn advice(files: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&Repository::of(files));
        findings
            .iter()
            .map(|finding| finding.advice().to_owned())
            .collect()
    }

    #[test]
    fn a_bug_whose_text_is_there_once_is_in_order() {
        let found = advice(&[(LAW, ""), (BUGS, &bug_in("a.rs")), ("a.rs", "a + b\n")]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_bug_whose_text_is_gone_or_there_twice_is_found() {
        for (text, count) in [("a+b", 0), ("a + b + a + b", 2)] {
            let found = advice(&[(LAW, ""), (BUGS, &bug_in("a.rs")), ("a.rs", text)]);
            assert_eq!(found.len(), 1);
            assert!(
                found[0].contains(&format!("occurs {count} times")),
                "{found:?}"
            );
        }
        let found = advice(&[(LAW, ""), (BUGS, &bug_in("gone.rs"))]);
        assert!(found[0].contains("not in the repository"), "{found:?}");
    }

    #[test]
    fn a_law_without_bugs_is_found() {
        let found = advice(&[(LAW, "")]);
        assert!(found[0].contains("no bug is planted"), "{found:?}");
        let part = LAW.replace(".rs", "/part.rs");
        let found = advice(&[
            (LAW, ""),
            (&part, ""),
            (BUGS, &bug_in("a.rs")),
            ("a.rs", "a + b"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_file_that_does_not_read_is_found() {
        let found = advice(&[(LAW, ""), (BUGS, "[[bug]]\nname = \"odd\"\n")]);
        assert!(found[0].contains("missing field"), "{found:?}");
    }
}
