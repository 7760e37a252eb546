//! Lists of parameters in statements.

use std::fmt::Write;

/// `$3,$4,$5` for the parameters from 3 on, three of them.
pub(crate) fn placeholders(from: usize, count: usize) -> String {
    let mut text = String::new();
    for number in from..from + count {
        let comma = if number == from { "" } else { "," };
        // Writing to a string can't fail.
        let _ = write!(text, "{comma}${number}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn they_are_numbered_from_the_first_on() {
        assert_eq!(placeholders(3, 3), "$3,$4,$5");
        assert_eq!(placeholders(1, 0), "");
    }
}
