//! Live pages of a list, as `usePaginatedQuery` reads them, and what must hold of them at any time.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_functions::{PaginationOptions, PaginationResult, QueryResult, TestApp, TestSession};
use hull_value::{Decode, Packed};

use crate::app::{List, Page};

/// How a list can be read in pages: the query of a page, and that of all.
pub(crate) const WAYS: [(&str, &str); 6] = [
    ("items:page", "items:all"),
    ("items:pageDown", "items:allDown"),
    ("items:pageUnion", "items:allUnion"),
    ("items:pageUnionDown", "items:allUnionDown"),
    ("items:pageDistinct", "items:allDistinct"),
    ("items:pageDistinctDown", "items:allDistinctDown"),
];

/// One page that is subscribed to.
struct LivePage {
    query: u32,
    options: PaginationOptions,
}

/// A session that reads a list in pages, as `usePaginatedQuery` does.
pub(crate) struct LivePages<'a> {
    app: &'a TestApp,
    way: (&'static str, &'static str),
    items: u32,
    session: TestSession,
    pages: Vec<LivePage>,
    next: u32,
    /// What was told of each query.
    told: BTreeMap<u32, Arc<QueryResult>>,
}

impl<'a> LivePages<'a> {
    pub(crate) fn new(app: &'a TestApp, way: usize, items: u32) -> LivePages<'a> {
        let session = app.session();
        let mut pages = LivePages {
            app,
            way: WAYS[way],
            items,
            session,
            pages: Vec::new(),
            next: 0,
            told: BTreeMap::new(),
        };
        let page = pages.subscribe(PaginationOptions::first(items), None);
        pages.pages.push(page);
        pages
    }

    fn subscribe(&mut self, options: PaginationOptions, journal: Option<&Arc<str>>) -> LivePage {
        let query = self.next;
        self.next += 1;
        let args = Page { list: "l".into(), pagination_opts: options.clone() };
        assert!(self.session.live().subscribe(query, self.way.0, &Packed::encode(&args).unwrap(), journal));
        LivePage { query, options }
    }

    fn told(&self, page: &LivePage) -> Option<PaginationResult<f64>> {
        let result = self.told.get(&page.query)?;
        Some(PaginationResult::decode(result.value.as_ref().unwrap().as_ref()).unwrap())
    }

    /// The list as it is.
    pub(crate) async fn ids(&self) -> Vec<f64> {
        let list = self.app.query_at(self.way.1, List { list: "l".into() }).await.unwrap();
        Vec::decode(Packed::encode(&list).unwrap().as_ref()).unwrap()
    }

    /// Asks for the next page.
    pub(crate) fn more(&mut self) {
        let Some(last) = self.pages.last().and_then(|page| self.told(page)) else { return };
        if !last.is_done {
            let options = PaginationOptions::first(self.items).after(last.continue_cursor);
            let page = self.subscribe(options, None);
            self.pages.push(page);
        }
    }

    /// Replaces a page by its halves.
    pub(crate) fn split(&mut self, at: usize) {
        let at = at % self.pages.len();
        let Some(told) = self.told(&self.pages[at]) else { return };
        let Some(middle) = told.split_cursor else { return };
        let options = self.pages[at].options.clone();
        let left = self.subscribe(options.clone().until(&*middle), None);
        let right = self.subscribe(options.after(middle).until(told.continue_cursor), None);
        let old: Vec<LivePage> = self.pages.splice(at..=at, [left, right]).collect();
        self.session.unsubscribe(old[0].query);
    }

    /// Goes on with another session.
    pub(crate) fn reconnect(&mut self) {
        self.session = self.app.session();
        let told = std::mem::take(&mut self.told);
        for page in std::mem::take(&mut self.pages) {
            let journal = told.get(&page.query).and_then(|result| result.journal.clone());
            let page = self.subscribe(page.options, journal.as_ref());
            self.pages.push(page);
        }
    }

    /// The pages are together the beginning of the list, and all of it if the last one says so.
    pub(crate) async fn check(&mut self) {
        if let Some(step) = self.session.step().await {
            self.told.extend(step.updates);
        }
        let list = self.ids().await;
        let mut found = Vec::new();
        let mut done = false;
        for page in &self.pages {
            let told = self.told(page).unwrap();
            assert!(!done, "a page behind the end");
            found.extend(told.page);
            done = told.is_done;
        }
        assert_eq!(found, list[..found.len().min(list.len())]);
        assert!(!done || found.len() == list.len(), "{found:?} is not all of {list:?}");
    }
}
