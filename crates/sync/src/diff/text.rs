//! What changed in a string: one stretch in the middle, in UTF-16 code units.

/// Strings below this length, and those that share fewer bytes, are told in full.
const SHORTEST: usize = 32;

/// Whether telling what changed in a string may be shorter than telling it.
pub(super) fn may_pay(old: &str, new: &str) -> bool {
    old.len() >= SHORTEST && new.len() >= SHORTEST
}

/// At which code unit the texts begin to differ, how many code units of the old one differ, and what is there in the
/// new one; none when they have little in common.
pub(super) fn changed_middle<'a>(old: &str, new: &'a str) -> Option<(usize, usize, &'a str)> {
    let same = |(a, b): &(u8, u8)| a == b;
    let head = old.bytes().zip(new.bytes()).take_while(same).count();
    // What is equal up to a byte inside of a character is equal up to that character in both.
    let head = old.floor_char_boundary(head);
    let (rest, new_rest) = (old.get(head..)?, new.get(head..)?);
    let tail = rest.bytes().rev().zip(new_rest.bytes().rev()).take_while(same).count();
    let end = rest.ceil_char_boundary(rest.len() - tail);
    let tail = rest.len() - end;
    if head + tail < SHORTEST {
        return None;
    }
    let inserted = new_rest.get(..new_rest.len() - tail)?;
    Some((utf16_len(old.get(..head)?), utf16_len(rest.get(..end)?), inserted))
}

fn utf16_len(text: &str) -> usize {
    // A code unit for each character, and one more for each that takes four bytes.
    text.bytes().map(|byte| usize::from(byte & 0xC0 != 0x80) + usize::from(byte >= 0xF0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_whole_characters() {
        let pad = "p".repeat(40);
        let middle = |old: &str, new: &str| {
            let (old, new) = (format!("{pad}{old}{pad}"), format!("{pad}{new}{pad}"));
            changed_middle(&old, &new).map(|(at, removed, inserted)| (at - 40, removed, inserted.to_owned()))
        };
        assert_eq!(middle("a", "b"), Some((0, 1, "b".into())));
        assert_eq!(middle("", "b"), Some((0, 0, "b".into())));
        assert_eq!(middle("aa", "a"), Some((1, 1, "".into())));
        // Characters that share their first or their last bytes.
        assert_eq!(middle("é", "è"), Some((0, 1, "è".into())));
        assert_eq!(middle("é", "©"), Some((0, 1, "©".into())));
        assert_eq!(middle("x😀", "x😁"), Some((1, 2, "😁".into())));
        assert_eq!(middle("😀", "😀😀"), Some((2, 0, "😀".into())));
        assert_eq!(changed_middle(&"a".repeat(50), &"b".repeat(50)), None);
    }
}
