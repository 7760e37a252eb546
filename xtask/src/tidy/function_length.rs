//! A function of more than 70 lines does more than one thing.

use super::{
    exceptions::{self, Measured},
    finding::Finding,
    repository::{File, Repository},
};

const LINES_MAX: usize = 70;

/// Checks every function with a body, from `fn` to its closing brace.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    measured(repository)
        .filter_map(|(file, function)| {
            let place = function.place(file);
            let size = function.lines;
            let measured = Measured {
                kind: "function",
                place: &place,
                size,
                limit: LINES_MAX,
            };
            let advice = exceptions::judge(repository, &measured)?;
            Some(Finding::new(
                &file.path,
                function.line,
                format!("`{}`: {advice}", function.name),
            ))
        })
        .collect()
}

/// The places that need an exception.
pub(crate) fn over_limit(repository: &Repository) -> impl Iterator<Item = String> {
    measured(repository)
        .filter(|(_, function)| function.lines > LINES_MAX)
        .map(|(file, function)| function.place(file))
}

fn measured(repository: &Repository) -> impl Iterator<Item = (&File, Function<'_>)> {
    repository
        .rust()
        .flat_map(|file| functions(&file.code).map(move |found| (file, found)))
}

/// A function found in masked code.
#[derive(Debug)]
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

impl Function<'_> {
    fn place(&self, file: &File) -> String {
        format!("{}::{}", file.path, self.name)
    }
}

fn functions(code: &str) -> impl Iterator<Item = Function<'_>> {
    code.match_indices("fn ").filter_map(|(at, _)| {
        let starts_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let signature = at + "fn ".len();
        let name = word_at(&code[signature..])?;
        let body = signature + body_start(&code[signature..])?;
        let end = body + block_length(&code[body..]);
        starts_word.then(|| Function {
            name,
            line: 1 + newlines(&code[..at]),
            lines: 1 + newlines(&code[at..end]),
        })
    })
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

fn word_at(text: &str) -> Option<&str> {
    let length = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (length > 0).then(|| &text[..length])
}

/// The position of the body's brace, starting from the name; `None` for a declaration without a
/// body. Brackets are counted, since a `;` in `[u8; 4]` doesn't end the declaration.
fn body_start(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

/// The length of a block, from its opening brace to just after the closing one.
fn block_length(text: &str) -> usize {
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_71_lines_is_too_long() {
        let body = |lines: usize| format!("\nfn f() -> [u8; 2] {{\n{}}}\n", "x();\n".repeat(lines));
        let (fits, long) = (body(68), body(69));
        let repository = Repository::of(&[("a.rs", &fits), ("b.rs", &long)]);
        let findings = check(&repository);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].line(), 2);
        assert!(
            findings[0]
                .advice()
                .starts_with("`f`: function of 71 lines")
        );
    }

    #[test]
    fn declarations_and_function_pointers_have_no_length() {
        let code = "trait T { fn a(&self) -> u8; }\ntype F = fn (u8);\nfn b() {}\n";
        let names: Vec<_> = functions(code).map(|function| function.name).collect();
        assert_eq!(names, ["b"]);
    }
}
