//! Texts of strangers, shown on a terminal or in a log.

use std::fmt::Write;

/// Shows what could move the cursor, break the line or turn the text around as `\u{…}`, so that one record stays one
/// record and a terminal shows what is there.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            // Writing to a String can't fail.
            let _ = write!(escaped, "{}", c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Control characters, line and paragraph separators, and the marks that hide text or change its direction.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 117
    #[test]
    fn what_could_fool_a_terminal_is_escaped() {
        assert_eq!(escape("a\r\nb\x1b[31m\u{9b}31m\0"), r"a\r\nb\u{1b}[31m\u{9b}31m\u{0}");
        assert_eq!(escape("x\u{202e}y\u{feff}"), r"x\u{202e}y\u{feff}");
        assert_eq!(escape("Zoë \"quoted\" \\ 名前"), "Zoë \"quoted\" \\ 名前");
    }
}
