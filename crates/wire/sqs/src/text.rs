//! The characters allowed in messages.

/// Whether `text` is allowed as a message body or string attribute: the characters of XML 1.0, as
/// documented for SendMessage: `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to
/// #x10FFFF`.
pub fn is_message_text(text: &str) -> bool {
    first_forbidden_character(text).is_none()
}

/// The first character of `text` that isn't allowed in a message.
pub fn first_forbidden_character(text: &str) -> Option<char> {
    // Most bodies have none of the few bytes that can be or begin such a character.
    if !text.bytes().any(|byte| byte < 0x20 || byte == 0xEF) {
        return None;
    }
    text.chars()
        .find(|character| !is_message_character(*character))
}

pub(crate) fn is_message_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_characters_of_xml_are_message_text() {
        for good in [
            "",
            "a\tb\nc\rd",
            "\u{7F}\u{85}",
            "\u{D7FF}\u{E000}\u{FFFD}",
            "\u{10000}\u{10FFFF}",
            "\u{1F600}",
        ] {
            assert!(is_message_text(good), "{good:?}");
        }
        for bad in [
            "\0",
            "a\u{8}",
            "\u{B}",
            "\u{1F}",
            "ok\u{FFFE}",
            "\u{FFFF}ok",
        ] {
            assert!(!is_message_text(bad), "{bad:?}");
        }
        assert_eq!(first_forbidden_character("ab\u{2}c\u{3}"), Some('\u{2}'));
    }

    #[test]
    fn the_quick_look_agrees_with_the_careful_one() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(
                is_message_text(&text),
                is_message_character(character),
                "{character:?}"
            );
        }
    }
}
