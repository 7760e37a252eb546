//! Names and keys that are bytes for clients and text in the catalogue.

use std::borrow::Cow;

/// Converts bytes to text. In bytes that aren't UTF-8, each byte beyond ASCII becomes a character
/// of Unicode's last plane, which is for private use. So different bytes have different texts, dots
/// stay dots, and no normal text collides.
pub(crate) fn text_of(octets: &[u8]) -> Cow<'_, str> {
    const FIRST: u32 = 0x0010_ff00;
    match std::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => octets
            .iter()
            .map(|octet| match octet {
                0..0x80 => char::from(*octet),
                _ => char::from_u32(FIRST + u32::from(*octet)).unwrap_or_default(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_octets_have_different_texts_of_as_many_words() {
        let octets = [
            &b"a.b"[..],
            b"a\xff.b",
            b"a\xfe.b",
            b"a.\xff.b",
            "\u{ff}.b".as_bytes(),
        ];
        let texts: std::collections::BTreeSet<_> = octets.map(text_of).into();
        assert_eq!(texts.len(), octets.len());
        for octets in octets {
            let dots = octets.iter().filter(|octet| **octet == b'.').count();
            assert_eq!(text_of(octets).matches('.').count(), dots);
        }
    }
}
