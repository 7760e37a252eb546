//! A link in a Markdown page into the repository must point to an existing file and heading.

use super::{
    finding::Finding,
    repository::{File, Repository},
};

/// Checks every link of every Markdown file, except in code blocks.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let pages = repository
        .files()
        .iter()
        .filter(|file| file.path.ends_with(".md"));
    let mut findings = Vec::new();
    for page in pages {
        for (number, line) in prose(page) {
            for target in targets(line) {
                if let Some(advice) = judge(repository, page, target) {
                    findings.push(Finding::new(&page.path, number, advice));
                }
            }
        }
    }
    findings
}

/// The lines outside fenced code.
fn prose(page: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of `[text](target)` in `line`, without titles.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let end = rest.find(')')?;
        rest[..end].split_whitespace().next()
    })
}

fn judge(repository: &Repository, page: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        page.path.clone()
    } else {
        resolve(&page.path, path)
    };
    if !repository.has(&path) {
        return Some(format!(
            "`{target}` leads nowhere: {path} is not in the repository"
        ));
    }
    let linked = repository.file(&path)?;
    if heading.is_empty() || !path.ends_with(".md") || headings(linked).any(|h| h == heading) {
        return None;
    }
    Some(format!("`{target}`: {path} has no heading of that name"))
}

/// The path of `target`, a link in the page at `from`, relative to the root.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of a page's headings: lower case, with dashes for spaces, without punctuation.
fn headings(page: &File) -> impl Iterator<Item = String> {
    prose(page)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            text.chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_resolve_from_their_page_to_files_folders_and_headings() {
        let page = "[a](../README.md) [b](other.md#the-two-ports) [c](https://x.org/y)\n\
                    [d](gone.md)\n[e](other.md#gone)\n```\n[f](gone.md)\n```\n[g](../docs)\n";
        let repository = Repository::of(&[
            ("README.md", ""),
            ("docs/page.md", page),
            ("docs/other.md", "# Title\n\n## The two ports\n"),
        ]);
        let findings = check(&repository);
        assert_eq!(
            findings.iter().map(Finding::line).collect::<Vec<_>>(),
            [2, 3]
        );
    }
}
