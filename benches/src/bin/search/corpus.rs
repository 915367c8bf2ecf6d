//! A corpus of short documents from a seed: a made-up vocabulary that can be pronounced, words distributed as in natural
//! text (Zipf's law: the n-th most frequent word is n times rarer than the first), frequent words short.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// How many words there are.
const WORDS: usize = 50_000;
/// How many users there are.
pub(crate) const USERS: u32 = 1_000;
const SEED: u64 = 5;

const ONSETS: [&str; 20] =
    ["b", "br", "d", "f", "g", "h", "j", "k", "kl", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "z"];
const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ea", "ou"];
const CODAS: [&str; 6] = ["", "", "n", "r", "s", "l"];

/// A document of the corpus.
pub(crate) struct Note {
    pub(crate) content: String,
    pub(crate) user: String,
    pub(crate) private: bool,
}

/// How frequent the words of a query are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Frequent,
    Middle,
    Rare,
}

impl Class {
    pub(crate) const ALL: [Class; 3] = [Class::Frequent, Class::Middle, Class::Rare];

    /// The ranks of its words.
    fn ranks(self) -> std::ops::Range<usize> {
        match self {
            Class::Frequent => 0..100,
            Class::Middle => 100..2_000,
            Class::Rare => 2_000..20_000,
        }
    }
}

/// The words, most frequent first, and how often each comes.
pub(crate) struct Corpus {
    words: Vec<String>,
    /// The sum of the weights up to each word.
    sums: Vec<f64>,
}

impl Corpus {
    pub(crate) fn new() -> Corpus {
        let mut random = StdRng::seed_from_u64(SEED);
        let mut known = BTreeSet::new();
        let mut words = Vec::with_capacity(WORDS);
        while words.len() < WORDS {
            let syllables = match words.len() {
                ..80 => 1,
                80..3_000 => 2,
                _ => 3 + random.random_range(0..2),
            };
            let mut word = String::new();
            for _ in 0..syllables {
                for part in [&ONSETS[..], &VOWELS, &CODAS] {
                    word.push_str(part.choose(&mut random).copied().unwrap_or_default());
                }
            }
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += 1.0 / (rank + 1) as f64;
            sum
        };
        let sums = (0..WORDS).map(weight).collect();
        Corpus { words, sums }
    }

    fn word(&self, random: &mut StdRng) -> &str {
        let at = random.random_range(0.0..self.sums[WORDS - 1]);
        &self.words[self.sums.partition_point(|sum| *sum <= at)]
    }

    /// The documents, the same each time.
    pub(crate) fn notes(&self, count: u32) -> impl Iterator<Item = Note> {
        let mut random = StdRng::seed_from_u64(SEED + 1);
        (0..count).map(move |_| {
            let words: Vec<&str> = (0..random.random_range(8..=30)).map(|_| self.word(&mut random)).collect();
            Note {
                content: words.join(" "),
                user: format!("user{}", random.random_range(0..USERS)),
                private: random.random_bool(0.3),
            }
        })
    }

    /// Pairs of words of a class, drawn as the corpus draws them. The second is the beginning of no other word if `whole`.
    pub(crate) fn pairs(&self, class: Class, whole: bool, count: usize) -> Vec<(&str, &str)> {
        let mut random = StdRng::seed_from_u64(SEED + 2);
        let mut sorted: Vec<&str> = self.words.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        let begins_another = |word: &str| {
            let next = sorted.partition_point(|other| *other <= word);
            sorted.get(next).is_some_and(|next| next.starts_with(word))
        };
        let ranks = class.ranks();
        let low = ranks.start.checked_sub(1).map_or(0.0, |before| self.sums[before]);
        let mut word = |accept: &dyn Fn(&str) -> bool| loop {
            let at = random.random_range(low..self.sums[ranks.end - 1]);
            let word = &*self.words[self.sums.partition_point(|sum| *sum <= at)];
            if accept(word) {
                break word;
            }
        };
        let mut pairs = Vec::with_capacity(count);
        while pairs.len() < count {
            let first = word(&|_| true);
            let second = word(&|word| word != first && !(whole && begins_another(word)));
            pairs.push((first, second));
        }
        pairs
    }
}
