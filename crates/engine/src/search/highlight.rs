//! Marking: which parts of a text a search was about.

use std::ops::Range;

use super::query::Terms;
use super::token::tokens;

/// The parts of `text` that a search for `request` matches, in ascending order: each token that is one of the request's
/// first 16 distinct tokens, and each that begins as the last of those does.
///
/// Ranges are in UTF-16 code units, as JavaScript counts: `text.slice(start, end)` in a page is the token. Nothing is read:
/// whoever shows a document calls this with the field that the search index searches.
pub fn highlight(text: &str, request: &str) -> Vec<Range<usize>> {
    let terms = Terms::of(request);
    let (mut bytes, mut units) = (0, 0);
    let mut units_until = |to: usize| {
        units += text.get(bytes..to).map_or(0, |part| part.encode_utf16().count());
        bytes = to;
        units
    };
    let matched = tokens(text).filter(|token| terms.matches(&token.term));
    matched.map(|token| units_until(token.range.start)..units_until(token.range.end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, request: &str) -> Vec<String> {
        let units: Vec<u16> = text.encode_utf16().collect();
        highlight(text, request).into_iter().map(|range| String::from_utf16_lossy(&units[range])).collect()
    }

    #[test]
    fn tokens_of_the_request_are_marked_and_what_begins_as_the_last() {
        let text = "Rainy day: 😀 the Train was rainy, the trains RAN.";
        assert_eq!(marked(text, "the rain"), ["Rainy", "the", "rainy", "the"]);
        assert_eq!(marked(text, "rain the"), ["the", "the"]);
        assert_eq!(marked(text, "day tra"), ["day", "Train", "trains"]);
        assert_eq!(highlight("😀 é x", "É"), [Range { start: 3, end: 4 }]);
        assert_eq!(marked(text, "…"), Vec::<String>::new());
        assert_eq!(marked("", "the"), Vec::<String>::new());
    }

    #[test]
    fn tokens_beyond_the_sixteenth_are_not_looked_for() {
        let words: Vec<String> = (10..27).map(|n| format!("w{n}")).collect();
        assert_eq!(marked(&words.join(" "), &words.join(" ")).len(), 16);
        let repeated = format!("w10 {}", words[..16].join(" "));
        assert_eq!(marked(&words.join(" "), &repeated).len(), 16);
        // The last one that counts is the beginning of others, whatever is behind it.
        let more = format!("{} w10", words[..16].join(" "));
        assert_eq!(marked("w10x w25x", &more), ["w25x"]);
    }
}
