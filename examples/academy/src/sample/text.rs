//! Sentences from patterns. A `{name}` in a pattern stands for a phrase; who is met, where, and what a user wants to do stay the
//! same through a [`Story`], so that its sentences belong together.
//!
//! Phrases are chosen unevenly, the first of a list far more often than the last, as words are used in any language.

use std::borrow::Cow;
use std::cell::Cell;

use rand::RngExt;
use rand::rngs::StdRng;

use super::phrases::{PERSONS, PLACES, Person, phrases};
use super::social_words::{INTENTIONS, OCCASIONS};

/// What the sentences of one text have in common.
pub(super) struct Story {
    pub(super) person: &'static Person,
    other: &'static Person,
    place: (&'static str, &'static str),
    goal: &'static str,
    topic: &'static str,
    event: &'static str,
    /// Whether the person was named, so that a pronoun says who is meant.
    named: Cell<bool>,
}

/// One of a list, the first ones most often: half of the choices fall on the first third.
pub(super) fn often<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    from[rank(rng, from.len())]
}

fn rank(rng: &mut StdRng, count: usize) -> usize {
    // The part is below one, and so the place below the count.
    let part: f64 = rng.random();
    (part.powf(1.6) * count as f64) as usize
}

impl Story {
    pub(super) fn new(rng: &mut StdRng) -> Story {
        let person = rank(rng, PERSONS.len());
        let other = (person + rng.random_range(1..PERSONS.len())) % PERSONS.len();
        Story {
            person: &PERSONS[person],
            other: &PERSONS[other],
            place: often(rng, PLACES),
            goal: often(rng, INTENTIONS),
            topic: often(rng, phrases("topic")),
            event: often(rng, OCCASIONS),
            named: Cell::new(false),
        }
    }

    /// The pattern with its names filled in; a phrase that begins a sentence begins with a capital.
    pub(super) fn tell(&self, rng: &mut StdRng, pattern: &str) -> String {
        let mut text = String::with_capacity(2 * pattern.len());
        let mut rest = pattern;
        while let Some((before, named)) = rest.split_once('{') {
            let Some((name, after)) = named.split_once('}') else { break };
            text.push_str(before);
            let phrase = self.phrase(rng, name);
            let begins = text.is_empty() || [". ", "? ", "! "].iter().any(|end| text.ends_with(end));
            let capital = if begins { phrase.chars().next() } else { None };
            text.extend(capital.into_iter().flat_map(char::to_uppercase));
            text.push_str(&phrase[capital.map_or(0, char::len_utf8)..]);
            rest = after;
        }
        text.push_str(rest);
        text
    }

    fn phrase(&self, rng: &mut StdRng, name: &str) -> Cow<'static, str> {
        let Person { phrase, she, .. } = *self.person;
        let pronouns = if she { ["she", "She", "her", "her"] } else { ["he", "He", "him", "his"] };
        let pronoun = ["they", "They", "them", "their"].iter().position(|one| *one == name);
        if let Some(pronoun) = pronoun {
            return match (self.named.replace(true), name) {
                (true, _) => pronouns[pronoun].into(),
                (false, "their") => format!("{phrase}'s").into(),
                (false, _) => phrase.into(),
            };
        }
        let phrase = match name {
            "person" => {
                self.named.set(true);
                phrase
            }
            "person2" => self.other.phrase,
            "at" => self.place.0,
            "to" => self.place.1,
            "goal" => self.goal,
            "topic" => self.topic,
            "event" => self.event,
            "topic2" => loop {
                let other = often(rng, phrases(name));
                if other != self.topic {
                    break other;
                }
            },
            name => often(rng, phrases(name)),
        };
        phrase.into()
    }
}
