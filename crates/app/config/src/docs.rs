//! The reference of all keys, which `docs/configuration.md` contains.

use std::fmt::Write as _;

use crate::{
    key::{Key, Kind},
    keys::KEYS,
    measure::Size,
};

/// The reference in Markdown: a heading and a table for each section.
pub fn reference() -> String {
    let mut out = String::new();
    let mut section = "";
    for key in KEYS {
        let of = key.path.split('.').next().unwrap_or_default();
        if of != section {
            section = of;
            write!(
                out,
                "\n### `[{section}]`\n\n| key | default | values | description |\n"
            )
            .and_then(|()| writeln!(out, "|---|---|---|---|"))
            .expect("writing to a String succeeds");
        }
        writeln!(out, "{}", row(key)).expect("writing to a String succeeds");
    }
    out.trim_start().to_owned()
}

fn row(key: &Key) -> String {
    let default = key
        .default
        .map_or_else(|| "none".to_owned(), |text| format!("`{text}`"));
    let Key {
        path, kind, about, ..
    } = key;
    format!("| `{path}` | {default} | {} | {about} |", takes(*kind))
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Port => "port".to_owned(),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Size => "size".to_owned(),
        Kind::SizeIn { min, max } => format!("{} to {}", Size(min), Size(max)),
        Kind::Span => "duration".to_owned(),
        Kind::Seconds { max } => format!("whole seconds, up to {max}s"),
        Kind::Switch => "`true`, `false`".to_owned(),
        Kind::Choice(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Credentials => "name:secret pairs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, path::Path};

    use super::*;
    use crate::keys::find;

    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs");

    /// The Markdown pages below a folder.
    fn pages(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the folder exists") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.extend(pages(&path));
            } else if path.extension().is_some_and(|it| it == "md") {
                let text = std::fs::read_to_string(&path).expect("a page");
                found.push((path.display().to_string(), text));
            }
        }
        found
    }

    #[test]
    fn every_key_that_a_page_names_exists() {
        let sections: HashSet<_> = KEYS
            .iter()
            .filter_map(|key| Some(key.path.split_once('.')?.0))
            .collect();
        let is_name = |text: &str| text.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        for (page, text) in pages(Path::new(DOCS)) {
            for (section, name) in text
                .split('`')
                .skip(1)
                .step_by(2)
                .filter_map(|code| code.split(' ').next()?.split_once('.'))
                .filter(|(section, name)| sections.contains(section) && is_name(name))
            {
                let key = format!("{section}.{name}");
                let is_file = matches!(name, "rs" | "md" | "py");
                assert!(is_file || find(&key).is_some(), "{page} names `{key}`");
            }
        }
    }

    #[test]
    fn the_page_is_current() {
        let page = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../docs/configuration.md"
        );
        let page = std::fs::read_to_string(page).expect("the page exists");
        assert!(
            page.contains(&reference()),
            "docs/configuration.md is behind the keys: put the output of `stele config docs` \
             under its heading \"All keys\""
        );
    }
}
