//! Tokens: the words of a text, as they are indexed and as they are searched for.
//!
//! A token is a longest run of alphanumeric characters ([`char::is_alphanumeric`]) of at most [`MAX_TOKEN_BYTES`] bytes,
//! lowercased character by character ([`char::to_lowercase`]). Longer runs are left out. There are no stems, no stop words
//! and no segmentation of scripts that are written without spaces. These are Convex's rules.

use std::borrow::Cow;
use std::ops::Range;

/// The longest run of characters that is indexed, in bytes of UTF-8 as written in the text.
pub(crate) const MAX_TOKEN_BYTES: usize = 32;

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// The term: the lowercased run.
    pub(crate) term: Cow<'a, str>,
    /// Where the run is in the text, in bytes.
    pub(crate) range: Range<usize>,
}

/// The tokens of `text`, in its order.
pub(crate) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0 }
}

/// The tokens of a text. See [`tokens`].
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.text.get(self.at..)?;
            let start = self.at + rest.find(char::is_alphanumeric)?;
            let run = self.text.get(start..)?;
            let run = run.split(|c: char| !c.is_alphanumeric()).next()?;
            self.at = start + run.len();
            if run.len() <= MAX_TOKEN_BYTES {
                return Some(Token { term: lowercase(run), range: start..self.at });
            }
        }
    }
}

fn lowercase(run: &str) -> Cow<'_, str> {
    if run.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(run);
    }
    Cow::Owned(run.chars().flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        tokens(text).map(|token| token.term.into_owned()).collect()
    }

    #[test]
    fn a_text_is_split_at_what_is_neither_letter_nor_digit() {
        assert_eq!(terms("Don't panic, Ford!"), ["don", "t", "panic", "ford"]);
        assert_eq!(terms("  42 is_the  answer…"), ["42", "is", "the", "answer"]);
        assert_eq!(terms("naïve Überraschung ½ 東京タワー"), ["naïve", "überraschung", "½", "東京タワー"]);
        assert_eq!(terms(""), Vec::<String>::new());
        assert_eq!(terms("?! \u{0}"), Vec::<String>::new());
    }

    #[test]
    fn each_character_is_lowercased_by_itself() {
        assert_eq!(terms("ΟΔΟΣ İstanbul STRAẞE"), ["οδοσ", "i\u{307}stanbul", "straße"]);
    }

    #[test]
    fn runs_of_more_than_32_bytes_are_left_out() {
        let (longest, longer) = ("a".repeat(32), "b".repeat(33));
        assert_eq!(terms(&format!("x {longer} {longest} y")), ["x", &longest, "y"]);
        // Bytes, not characters.
        assert_eq!(terms(&"é".repeat(16)).len(), 1);
        assert_eq!(terms(&"é".repeat(17)).len(), 0);
    }

    #[test]
    fn ranges_say_where_a_token_is_in_the_text() {
        let text = "Zürich, İZMİR & Köln";
        let found: Vec<_> = tokens(text).map(|token| &text[token.range]).collect();
        assert_eq!(found, ["Zürich", "İZMİR", "Köln"]);
    }
}
