//! Rust source with comments and literals blanked, so that the checks see only code.
//!
//! Every masked byte becomes a space and newlines stay, so positions and line numbers in the result
//! are those of the source. The lexer knows only the tokens that can hide others: line and nested
//! block comments, strings, raw strings, byte and character literals.

/// Blanks the comments and literals of `source`.
pub(crate) fn mask(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = hidden_end(bytes, at);
        if end > at {
            let hidden = &bytes[at..end];
            out.extend(
                hidden
                    .iter()
                    .map(|&byte| if byte == b'\n' { byte } else { b' ' }),
            );
            at = end;
        } else {
            let byte = bytes[at];
            out.push(if byte.is_ascii() { byte } else { b' ' });
            at += 1;
        }
    }
    String::from_utf8(out).expect("only ASCII was pushed")
}

/// The end of the comment or literal that starts at `at`, or `at` if none does.
fn hidden_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let in_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_end(bytes, at),
        [b'"', ..] => string_end(bytes, at),
        [b'b' | b'c', b'"', ..] if !in_word => string_end(bytes, at + 1),
        [b'b' | b'c', b'r', ..] if !in_word => raw_string_end(bytes, at, at + 2),
        [b'r', ..] if !in_word => raw_string_end(bytes, at, at + 1),
        [b'\'', ..] => character_end(bytes, at),
        _ => at,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Block comments nest.
fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of the string whose opening quote is at `quote`.
fn string_end(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of the raw string whose hashes start at `hashes`; `start` if it is a word or a raw
/// identifier instead.
fn raw_string_end(bytes: &[u8], start: usize, hashes: usize) -> usize {
    let count = bytes[hashes..]
        .iter()
        .take_while(|&&byte| byte == b'#')
        .count();
    if bytes.get(hashes + count) != Some(&b'"') {
        return start;
    }
    let close: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', count))
        .collect();
    let body = hashes + count + 1;
    bytes[body..]
        .windows(close.len())
        .position(|window| window == close)
        .map_or(bytes.len(), |found| body + found + close.len())
}

/// The end of the character literal at `quote`, or `quote` if it is a lifetime.
fn character_end(bytes: &[u8], quote: usize) -> usize {
    match bytes.get(quote + 1) {
        Some(b'\\') => {
            let rest = bytes.get(quote + 3..).unwrap_or_default();
            rest.iter()
                .position(|&byte| byte == b'\'')
                .map_or(quote, |found| quote + found + 4)
        }
        Some(first) => {
            let length = utf8_length(*first);
            if bytes.get(quote + 1 + length) == Some(&b'\'') {
                quote + length + 2
            } else {
                quote
            }
        }
        None => quote,
    }
}

fn utf8_length(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_spaces_of_the_same_length() {
        let source = "let a = \"}{\"; // {\nlet b = '{'; /* { /* } */ */ let c = r#\"\"{\"#;\n";
        let masked = mask(source);
        assert_eq!(masked.len(), source.len());
        assert!(!masked.contains(['{', '}', '"']), "{masked}");
        assert_eq!(masked.lines().count(), 2);
    }

    #[test]
    fn lifetimes_and_raw_identifiers_stay() {
        let source = "fn f<'a>(r#type: &'a str) {}";
        assert_eq!(mask(source), source);
    }

    #[test]
    fn escaped_quotes_do_not_end_a_literal() {
        assert_eq!(
            mask(r#"x = "\"{"; y = '\''; z"#).trim_end(),
            "x =      ; y =     ; z"
        );
    }
}
