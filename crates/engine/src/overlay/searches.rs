//! The overlays of a table's search indexes.

use std::sync::Arc;

use hull_value::Timestamp;

use super::{Applied, TableStore};
use crate::key::Keyspace;
use crate::search::{DocKey, SearchChange, SearchSpec, SearchStore, Stored};

impl TableStore {
    /// The overlays of all search indexes.
    pub(crate) fn searches(&self) -> Vec<Arc<SearchStore>> {
        self.searches.read().clone()
    }

    /// The overlay of the search index in this keyspace.
    pub(crate) fn search(&self, keyspace: Keyspace) -> Option<Arc<SearchStore>> {
        self.searches.read().iter().find(|search| search.spec.keyspace == keyspace).cloned()
    }

    /// Adds the search indexes that are new; storage holds nothing of them.
    pub(crate) fn add_searches(&self, specs: &[SearchSpec]) {
        specs.iter().for_each(|spec| self.add_search(spec, Stored::default()));
    }

    /// Adds a search index that is new, of which storage holds so much.
    pub(crate) fn add_search(&self, spec: &SearchSpec, stored: Stored) {
        let mut searches = self.searches.write();
        if !searches.iter().any(|search| search.spec.keyspace == spec.keyspace) {
            searches.push(Arc::new(SearchStore::new(spec.clone(), stored)));
        }
    }

    /// Takes over the search indexes that the catalog declares, dropping those it no longer does. A checkpoint that is
    /// under way stores no more of what is dropped.
    pub(crate) fn set_searches(&self, specs: &[SearchSpec]) {
        self.add_searches(specs);
        let declared = |search: &Arc<SearchStore>| specs.iter().any(|s| s.keyspace == search.spec.keyspace);
        self.searches.write().retain(declared);
    }

    /// Applies what a write does to search indexes.
    pub(super) fn apply_searches(
        &self,
        by_id: &[u8],
        changes: Vec<SearchChange>,
        ts: Timestamp,
        floor: Timestamp,
    ) -> Applied {
        let mut all = Applied::default();
        let Ok(id) = DocKey::try_from(by_id) else { return all };
        for change in changes {
            if let Some(search) = self.search(change.keyspace) {
                let Applied { superseded, dirtied } = search.apply(id, change, ts, floor);
                all.superseded += superseded;
                all.dirtied += dirtied;
            }
        }
        all
    }
}
