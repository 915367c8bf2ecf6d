//! The queries of one connection: which versions of the set are reflected, and what the client is to be told.
//!
//! A version of the set is *reachable* when every query that it or an earlier one added has a first result. A
//! Transition goes to the newest reachable version; if even the client's own version is not reachable,
//! because its queries run again under a new identity, there can be no Transition at all. Nor can there be
//! one before the first version with queries is reached: a client that has come back would show its queries
//! without results.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hull_value::Packed;

use crate::client_message::QueryChange;
use crate::close::Close;
use crate::message::StateVersion;
use crate::path::FunctionPath;
use crate::result::{Failure, QueryResult};
use crate::write::{self, Clocks};

use super::requests::read_call;
use super::{DiffCounts, Effect, SubscriptionId};

/// How many queries one connection may have, and how many changes of them may wait to be told.
const QUERIES: usize = 16_384;
/// How many bytes of arguments and journals they may have.
const QUERY_BYTES: usize = 64 << 20;

/// What a Transition has at most around its results.
const ENVELOPE: usize = 512;

#[derive(Debug)]
struct Query {
    /// The version of the set that added it.
    added: u32,
    /// What runs; none for a query that failed before it could.
    call: Option<(FunctionPath, Packed)>,
    journal: Option<Arc<str>>,
    /// What the client's declaration of it takes.
    bytes: usize,
    generation: u32,
    answered: bool,
    /// Whether it is in the list of those with news.
    listed: bool,
    /// What the client has, or a later result that equals it.
    sent: Option<Arc<QueryResult>>,
    /// The number by which the client knows it, if it has a value.
    told: Option<u64>,
    /// Whether the client has asked to be told it in full.
    resync: bool,
    /// What it is to be told.
    news: Option<Arc<QueryResult>>,
}

#[derive(Debug, Default)]
pub(super) struct Queries {
    by_id: BTreeMap<u32, Query>,
    /// The newest version that the client declared.
    declared: u32,
    /// Declared versions that no Transition has reached.
    ahead: Vec<u32>,
    /// Queries removed since, each with the version that did it.
    removed: Vec<(u32, u32)>,
    /// Queries with news, in no order, and some that have none any more.
    dirty: Vec<u32>,
    bytes: usize,
    generations: u32,
    live: usize,
    unanswered: usize,
    /// Whether the client is told diffs.
    pub(super) diffs: bool,
    pub(super) counts: DiffCounts,
}

/// How a query's news are told.
enum Telling {
    Full,
    /// The diff from the value that the client knows by this number.
    Diff(u64, Arc<str>),
}

impl Queries {
    /// Applies one ModifyQuerySet.
    pub(super) fn modify<I: Clone>(
        &mut self,
        base: u32,
        new: u32,
        changes: Vec<QueryChange<'_>>,
        identity: &I,
        effects: &mut VecDeque<Effect<I>>,
    ) -> Result<(), Close> {
        if base != self.declared || new <= base {
            return Err(Close::internal("ModifyQuerySet is based on another version of the query set"));
        }
        if self.ahead.len().max(self.removed.len()).max(self.dirty.len()) > QUERIES {
            return Err(Close::too_many_requests("too many changes of the query set wait to be told"));
        }
        self.declared = new;
        self.ahead.push(new);
        for change in changes {
            match change {
                QueryChange::Add { query, path, args, journal, component } => {
                    if self.by_id.contains_key(&query) {
                        return Err(Close::internal("ModifyQuerySet adds a query id that is in use"));
                    }
                    let bytes = args.len() + path.len() + journal.as_ref().map_or(0, |journal| journal.len());
                    self.bytes += bytes;
                    if self.by_id.len() >= QUERIES || self.bytes > QUERY_BYTES {
                        return Err(Close::too_many_requests("too many queries of one connection"));
                    }
                    let journal: Option<Arc<str>> = journal.map(|journal| journal.into());
                    let (call, news) = match read_call(&path, args, &component) {
                        Ok(call) => (Some(call), None),
                        Err(failure) => {
                            (None, Some(Arc::new(QueryResult::failed(&failure, &[], journal.clone()))))
                        }
                    };
                    let answered = news.is_some();
                    if answered {
                        self.dirty.push(query);
                    }
                    let mut added = Query {
                        added: new,
                        call,
                        journal,
                        bytes,
                        generation: 0,
                        answered,
                        listed: answered,
                        sent: None,
                        told: None,
                        resync: false,
                        news,
                    };
                    if !answered {
                        self.unanswered += 1;
                        self.live += 1;
                        self.generations += 1;
                        added.generation = self.generations;
                        effects.extend(added.subscribe(query, identity));
                    }
                    self.by_id.insert(query, added);
                }
                QueryChange::Remove { query } => {
                    let Some(removed) = self.by_id.remove(&query) else {
                        return Err(Close::internal("ModifyQuerySet removes a query id that is not in use"));
                    };
                    self.bytes -= removed.bytes;
                    if !removed.answered {
                        self.unanswered -= 1;
                    }
                    if removed.call.is_some() {
                        self.live -= 1;
                        let subscription = SubscriptionId { query, generation: removed.generation };
                        effects.push_back(Effect::Unsubscribe { subscription });
                    }
                    self.removed.push((new, query));
                }
            }
        }
        Ok(())
    }

    /// Runs every query again under another identity.
    pub(super) fn resubscribe<I: Clone>(&mut self, identity: &I, effects: &mut VecDeque<Effect<I>>) {
        for (id, query) in self.by_id.iter_mut().filter(|(_, query)| query.call.is_some()) {
            let subscription = SubscriptionId { query: *id, generation: query.generation };
            effects.push_back(Effect::Unsubscribe { subscription });
            self.generations += 1;
            query.generation = self.generations;
            query.news = None;
            query.answered = false;
            effects.extend(query.subscribe(*id, identity));
        }
        self.unanswered = self.live;
    }

    /// Takes in a result, unless its subscription has ended.
    pub(super) fn update(&mut self, subscription: SubscriptionId, result: Arc<QueryResult>) {
        let Some(query) = self.by_id.get_mut(&subscription.query) else { return };
        if query.call.is_none() || query.generation != subscription.generation {
            return;
        }
        if !query.answered {
            query.answered = true;
            self.unanswered -= 1;
        }
        query.journal = result.journal().cloned();
        if !query.resync && query.sent.as_ref().is_some_and(|sent| result.is_same(sent)) {
            query.sent = Some(result);
            query.news = None;
            return;
        }
        query.news = Some(result);
        if !std::mem::replace(&mut query.listed, true) {
            self.dirty.push(subscription.query);
        }
    }

    /// The client has lost a query's value, and is to be told it in full. One that was told no result gets its first one
    /// in full anyway.
    pub(super) fn resync(&mut self, id: u32) {
        let Some(query) = self.by_id.get_mut(&id).filter(|query| query.sent.is_some()) else { return };
        query.told = None;
        query.resync = true;
        if query.news.is_none() {
            query.news.clone_from(&query.sent);
        }
        if !std::mem::replace(&mut query.listed, true) {
            self.dirty.push(id);
        }
    }

    /// Whether there are queries whose results only a step can tell.
    pub(super) fn has_live(&self) -> bool {
        self.live > 0
    }

    /// Whether the client has not been told everything.
    pub(super) fn has_news(&self) -> bool {
        !self.ahead.is_empty() || !self.dirty.is_empty()
    }

    /// The newest version of the set that a Transition can go to from `current`; none if there can be no
    /// Transition.
    pub(super) fn reachable(&self, current: u32) -> Option<u32> {
        if self.unanswered == 0 {
            return Some(self.declared);
        }
        let missing = self.by_id.values().filter(|query| !query.answered).map(|query| query.added).min()?;
        let ahead = self.ahead.iter().rev().copied().find(|version| *version < missing);
        ahead.or((0 < current && current < missing).then_some(current))
    }

    /// Whether a Transition to this version of the set would tell a result.
    pub(super) fn has_results_until(&self, version: u32) -> bool {
        self.dirty
            .iter()
            .any(|id| self.by_id.get(id).is_some_and(|query| query.news.is_some() && query.added <= version))
    }

    /// How many bytes the modifications have at most.
    pub(super) fn size(&mut self) -> usize {
        let (by_id, diffs, counts) = (&self.by_id, self.diffs, &mut self.counts);
        let size = |id| {
            let query: &Query = by_id.get(id)?;
            let news = query.news.as_deref()?;
            Some(1 + query.telling(news, diffs, counts).size(query, news))
        };
        self.dirty.iter().filter_map(size).sum::<usize>() + 48 * self.removed.len()
    }

    /// Appends the Transition that tells the news up to the version of `end`, and takes them as told. News beyond
    /// `longest` bytes stay for the next Transition; a result that is longer by itself is told as an error.
    pub(super) fn write_transition(
        &mut self,
        start: StateVersion,
        end: StateVersion,
        clocks: Option<Clocks>,
        longest: usize,
        out: &mut Vec<u8>,
    ) {
        let room = longest.saturating_sub(ENVELOPE).saturating_add(out.len());
        write::begin_transition(out, start, end);
        let first = out.len();
        let comma = |out: &mut Vec<u8>| {
            if out.len() > first {
                out.push(b',');
            }
        };
        self.ahead.retain(|version| *version > end.query_set);
        self.removed.retain(|(version, id)| {
            let later = *version > end.query_set;
            if !later {
                comma(out);
                write::query_removed(out, *id);
            }
            later
        });
        self.dirty.sort_unstable();
        self.dirty.dedup();
        let (by_id, diffs, counts) = (&mut self.by_id, self.diffs, &mut self.counts);
        self.dirty.retain(|id| {
            let Some(query) = by_id.get_mut(id) else { return false };
            query.listed = query.news.is_some() && query.added > end.query_set;
            if query.listed {
                return true;
            }
            if let Some(news) = query.news.take() {
                let telling = query.telling(&news, diffs, counts);
                let size = telling.size(query, &news);
                query.told = if out.len().saturating_add(size) <= room {
                    comma(out);
                    match telling {
                        Telling::Full => news.write(*id, query.sent.as_deref(), diffs, out),
                        Telling::Diff(base, diff) => {
                            counts.told += 1;
                            news.write_diff(*id, base, &diff, out);
                        }
                    }
                    news.number()
                } else if out.len() > first {
                    query.news = Some(news);
                    query.listed = true;
                    return true;
                } else {
                    let failure = too_long("result", size, longest);
                    QueryResult::failed(&failure, &[], news.journal().cloned()).write(*id, None, diffs, out);
                    None
                };
                query.resync = false;
                query.sent = Some(news);
            }
            false
        });
        write::end_transition(out, clocks);
    }
}

impl Telling {
    fn size(&self, query: &Query, news: &QueryResult) -> usize {
        match self {
            Telling::Full => news.size(query.sent.as_deref()),
            Telling::Diff(_, diff) => news.diff_size(diff),
        }
    }
}

/// Why a client is not told what its library would refuse.
pub(super) fn too_long(what: &str, bytes: usize, longest: usize) -> Failure {
    Failure::new(format!(
        "The {what} takes {bytes} bytes as JSON, and this client's library refuses messages of more than {longest}"
    ))
}

impl Query {
    /// How its news are told: by a diff where that is shorter.
    fn telling(&self, news: &QueryResult, diffs: bool, counts: &mut DiffCounts) -> Telling {
        let (Some(sent), Some(base), true) = (self.sent.as_deref(), self.told, diffs) else {
            return Telling::Full;
        };
        let (diff, made) = news.diff(sent);
        counts.made += u64::from(made);
        diff.map_or(Telling::Full, |diff| Telling::Diff(base, diff))
    }

    fn subscribe<I: Clone>(&self, id: u32, identity: &I) -> Option<Effect<I>> {
        let (path, args) = self.call.clone()?;
        Some(Effect::Subscribe {
            subscription: SubscriptionId { query: id, generation: self.generation },
            path,
            args,
            journal: self.journal.clone(),
            identity: identity.clone(),
        })
    }
}
